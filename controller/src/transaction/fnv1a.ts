/** FNV-1a, 32 bit: spreads names evenly, the same in every process. Nothing that an enemy could gain by choosing depends on it. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
