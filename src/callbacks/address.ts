import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * Whether an address is one that anybody on the internet would reach: not private, loopback, link-local, shared
 * (100.64.0.0/10), multicast, reserved or otherwise special, by the ranges of IANA's special-purpose registries that
 * ipaddr.js carries. An IPv4 address inside an IPv6 one (mapped, or by NAT64) is judged by itself.
 */
export function isPublic(address: string): boolean {
  // A zone (fe80::1%eth0) makes sense for local addresses only.
  if (address.includes('%') || isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.range() === 'unicast';
  if (parsed.isIPv4MappedAddress()) return isPublic(parsed.toIPv4Address().toString());
  const bytes = parsed.toByteArray();
  if (parsed.range() === 'rfc6052') return isPublic(bytes.slice(12).join('.'));
  // Global unicast is 2000::/3 (RFC 4291, 2.4); what lies outside of it and has no range of its own is unassigned.
  return parsed.range() === 'unicast' && ((bytes[0] ?? 0) & 0xe0) === 0x20;
}
