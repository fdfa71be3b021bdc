// Which addresses are of the public internet. Lists of IANA: the special-purpose registries of
// IPv4 and IPv6 (RFC 6890); of IPv6, whatever is no global unicast address is left out.

const NOT_PUBLIC: [string, number][] = [
  ["0.0.0.0", 8], // this host
  ["10.0.0.0", 8],
  ["100.64.0.0", 10], // behind a provider's NAT
  ["127.0.0.0", 8],
  ["169.254.0.0", 16], // link-local, where clouds keep their metadata
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3], // multicast, and all above
];

function bits(ipv4: string): number {
  return ipv4.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function publicV4(value: number): boolean {
  return NOT_PUBLIC.every(([net, length]) => {
    const size = 2 ** (32 - length);
    return Math.floor(value / size) !== Math.floor(bits(net) / size);
  });
}

/** The eight groups of an IPv6 address, which the parser of URLs writes in its one short form. */
function groups(ipv6: string): number[] {
  const [head = "", tail] = new URL(`http://[${ipv6}]`).hostname.slice(1, -1).split("::");
  const parsed = (text: string) => text ? text.split(":").map((group) => parseInt(group, 16)) : [];
  const [left, right] = [parsed(head), parsed(tail ?? "")];
  return [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
}

function publicV6(ipv6: string): boolean {
  const parts = groups(ipv6);
  const [first = 0, second = 0] = parts;
  const zeros = (from: number, to: number) => parts.slice(from, to).every((group) => group === 0);
  const mapped = zeros(0, 5) && parts[5] === 0xffff; // ::ffff:a.b.c.d
  const nat64 = first === 0x64 && second === 0xff9b && zeros(2, 6); // 64:ff9b::a.b.c.d
  if (mapped || nat64) return publicV4((parts[6] ?? 0) * 65536 + (parts[7] ?? 0));
  const unicast = first >= 0x2000 && first <= 0x3fff;
  const special = first === 0x2001 && (second < 0x200 || second === 0xdb8); // Teredo and others
  return unicast && !special && first !== 0x2002 && !(first === 0x3fff && second < 0x1000);
}

/** Whether `address` (IPv4 or IPv6) is one of the public internet; false for what is neither. */
export function isPublic(address: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return publicV4(bits(address));
  const plain = address.replace(/%.*$/, ""); // the interface, of a link-local one
  return URL.canParse(`http://[${plain}]`) && publicV6(plain);
}
