import { ftpConformance, MORE_THAN_A_PAGE, QUICK } from './ftp-doubles.ts'

// The long listings of the others: test/long/ftp-listings.test.ts.
ftpConformance((name) => (QUICK.has(name) ? MORE_THAN_A_PAGE : 60))
