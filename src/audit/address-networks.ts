export interface Networks {
  /** Its /24 or /48. */
  near: string;
  /** Its /16 or /32. */
  far: string;
}

/** The networks around an address, as `clientAddress` writes it. What is no address is both. */
export function networksOf(address: string): Networks {
  const bytes = /^(\d+)\.(\d+)\.(\d+)\.\d+$/.exec(address);
  if (bytes) return { near: `${bytes[1]}.${bytes[2]}.${bytes[3]}.0/24`, far: `${bytes[1]}.${bytes[2]}.0.0/16` };
  const groups = /^([\da-f]+):([\da-f]+):([\da-f]+):[\da-f]+::\/64$/.exec(address);
  if (groups) return { near: `${groups[1]}:${groups[2]}:${groups[3]}::/48`, far: `${groups[1]}:${groups[2]}::/32` };
  return { near: address, far: address };
}
