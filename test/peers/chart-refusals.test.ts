import { describe, expect, it } from 'vitest'
import { CI_VALUES, renderChart } from './servers/helm.ts'
import { peersMissing } from './servers/peer.ts'

const DEFAULT = ['-f', CI_VALUES['default'] ?? '']

describe.skipIf(peersMissing('helm'))('the chart', () => {
  it.each([
    ['no configuration', [], 'There is no configuration'],
    ['two configurations', [...DEFAULT, '--set', 'existingSecret=x'], 'given more than once (config, existingSecret)'],
    ['two agents', [...DEFAULT, '--set', 'replicas=2'], 'two agents would make every backup twice'],
    ['two tokens', [...DEFAULT, '--set', 'token.create=true,token.existingSecret=x'], 'are both set'],
    [
      'rights without a Role',
      [...DEFAULT, '--set', 'restore.enabled=true,rbac.create=false'],
      '`rbac.create` is false',
    ],
    ['rights without a token', [...DEFAULT, '--set', 'serviceAccount.automount=false'], 'token is not mounted'],
    ['rights for everybody', [...DEFAULT, '--set', 'serviceAccount.create=false'], 'every pod of the namespace'],
    ['a claim for nothing', [...DEFAULT, '--set', 'persistence.existingClaim=x'], 'nothing would be mounted'],
    ['a Secret of nothing', ['--set', 'existingSecret=x,configAsSecret=true'], '`config` is empty'],
    [
      'one name twice',
      [...DEFAULT, '--set-json', 'secretMounts=[{"name":"a","secretName":"x"},{"name":"a","secretName":"y"}]'],
      'Two `secretMounts` are named "a"',
    ],
    ['a stop too short', [...DEFAULT, '--set', 'terminationGracePeriodSeconds=10'], 'terminationGracePeriodSeconds'],
    ['a value nobody knows', [...DEFAULT, '--set', 'replicaCount=1'], 'replicaCount'],
    ['an attribute nobody knows', [...DEFAULT, '--set', 'config.provider.palette.cluster=x'], 'cluster'],
    ['an attribute of the wrong type', [...DEFAULT, '--set', 'config.version=two'], 'version'],
    ['a wrong digest', [...DEFAULT, '--set', 'image.digest=sha256:1'], 'digest'],
  ])('refuses %s with a sentence', async (_, args, sentence) => {
    expect(await refusal(...args)).toContain(sentence)
  })
})

async function refusal(...args: readonly string[]): Promise<string> {
  const outcome = await renderChart(...args).catch((thrown: unknown) => String(Object(thrown).stderr))
  if (typeof outcome !== 'string') throw new Error('the chart was rendered')
  return outcome
}
