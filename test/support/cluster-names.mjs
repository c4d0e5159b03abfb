// Loaded with `node --import`: the names that a cluster's DNS gives to the members of a StatefulSet lead to this machine.
import dns from 'node:dns'

const lookup = dns.lookup

dns.lookup = (host, ...rest) => lookup(/\.svc$/.test(host) ? '127.0.0.1' : host, ...rest)
