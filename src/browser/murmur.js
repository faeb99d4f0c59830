// MurmurHash3, x86, 32 bit, seed 0, of the text's UTF-8: what the server assigns by.
const murmur = (text) => {
  const bytes = new TextEncoder().encode(text);
  const length = bytes.length;
  const { imul } = Math;
  const turn = (x, by) => (x << by) | (x >>> (32 - by));
  const mix = (k) => imul(turn(imul(k, 0xcc9e2d51), 15), 0x1b873593);
  let hash = 0;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const k = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    hash = (imul(turn(hash ^ mix(k), 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let last = length - 1; last >= at; last--) tail = (tail << 8) | bytes[last];
  hash ^= mix(tail) ^ length;
  hash = imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};
