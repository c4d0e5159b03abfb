import type { Failure } from '../core/errors.ts'

/** What only `main.ts` can do. */
export interface ProcessHooks {
  /** This program's entry file: run processes start from it. */
  readonly mainFile: string
  readonly onHangup: (listener: () => void) => void
  /** A second SIGINT or SIGTERM is for the listener, and ends the program no more; a third one does. */
  readonly onHurry: (listener: () => void) => void
  readonly onInputEnd: (listener: () => void) => void
  readonly stop: (failure: Failure) => void
  /** Told as soon as it is known that results are wanted as JSON. */
  readonly onJson: () => void
}
