import { type Failure, lacksRight } from '../core/errors.ts'

/**
 * What failures say, in the order they came; but of those for want of a right the first alone, with the number of the
 * others: where nothing may be deleted there are more of them every night.
 */
export function sentencesOf(failures: readonly Failure[]): string[] {
  const refused = failures.filter(lacksRight)
  return failures.flatMap((failure) => {
    if (!lacksRight(failure) || refused.length === 1) return [failure.message]
    if (failure !== refused[0]) return []
    const others = refused.length - 1
    return [`${failure.message}; and so for ${others} ${others === 1 ? 'other' : 'others'}`]
  })
}
