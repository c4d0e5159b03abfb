import { reloadSoak } from './reload-soak.ts'

// The 2,000 of them are run with the peers.
reloadSoak({ count: 200, warmUp: 200 })
