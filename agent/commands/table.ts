/** Left-aligned columns two spaces apart; the last one is not padded. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) => line.map((cell, column) => (column < head.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell)))
    .map((cells) => `${cells.join('  ')}\n`)
    .join('')
}
