/** The usual report, and with VITEST_JSON=FILE the counts as JSON beside it. */
export function reporters(): (string | [string, Record<string, unknown>])[] {
  const outputFile = process.env['VITEST_JSON']
  return outputFile ? ['default', ['json', { outputFile }]] : ['default']
}
