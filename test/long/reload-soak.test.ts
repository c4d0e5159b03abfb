import { reloadSoak } from '../commands/reload-soak.ts'

reloadSoak({ count: 2000, warmUp: 300 })
