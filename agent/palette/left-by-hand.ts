/** What a restore did, as far as it decides what is left to do. */
export interface Done {
  readonly secretsApplied: boolean
  readonly writersManaged: boolean
  readonly upgradesManaged: boolean
  /** Of the backup, and of the target. */
  readonly rootDomains: readonly (string | undefined)[]
}

/** What no program can do after a restore, in the order an operator does it. */
export function leftByHand({ secretsApplied, writersManaged, upgradesManaged, rootDomains }: Done): string[] {
  const [before, after] = rootDomains
  const moved = before !== undefined && after !== undefined && before !== after
  return [
    ...(writersManaged ? [] : ['Start the workloads of Palette again.']),
    moved
      ? `Point DNS of ${before} to this installation (it calls itself ${after}): the clusters know the old name.`
      : 'Where this is another installation than the one that was backed up: point its DNS name here.',
    'Look at Administration > System Address in the system console, and at its TLS certificate.',
    'Look at the default pack registry: where it differs from that of the backup, it must be reconciled.',
    ...(secretsApplied
      ? []
      : [
          'The Secrets of the backup were not applied. In another installation than the one that was backed up they ' +
            'are needed: restore with --apply-secrets.',
        ]),
    'Wait until the clusters are Healthy. "Resource Not Found" for one of them goes with a restart of its pods.',
    upgradesManaged
      ? 'Other tenants than that of the API key: set "Pause Agent Upgrades" as you need it.'
      : 'Resume agent upgrades in stages (tenant settings), if you paused them before the restore.',
  ]
}
