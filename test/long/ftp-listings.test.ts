import { ftpConformance, MORE_THAN_A_PAGE, QUICK } from '../locations/ftp-doubles.ts'

ftpConformance((name) => (QUICK.has(name) ? undefined : MORE_THAN_A_PAGE))
