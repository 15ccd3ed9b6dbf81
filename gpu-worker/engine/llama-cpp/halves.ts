/**
 * bfloat16 as float16. Its 8 bits of fraction fit into 11, so a number of ordinary size stays what it is; below 2^-14 it
 * is rounded to a multiple of 2^-24. llama.cpp rounds what weights are multiplied with to their type: with float16
 * logprobs were off by 0.005 nats where they were off by 0.04 with bfloat16, and every processor has it.
 */

const SMALLEST = 2 ** -24;
/** Of a float16 that is not infinite, and of one that is not subnormal. */
const [LARGEST_EXPONENT, LEAST_EXPONENT] = [15, -14];
const OUT_OF_REACH = 0xffff;

let table: Uint16Array | null = null;

/** Changes the numbers in place; false: one of them is beyond float16 (65,504), or none. */
export function toHalves(bytes: Buffer): boolean {
  table ??= Uint16Array.from({ length: 2 ** 16 }, (_, bits) => halfOf(bits));
  for (let at = 0; at < bytes.length; at += 2) {
    const half = table[bytes.readUInt16LE(at)] ?? OUT_OF_REACH;
    if (half === OUT_OF_REACH) return false;
    bytes.writeUInt16LE(half, at);
  }
  return true;
}

/** Bits of a bfloat16 to bits of a float16. */
function halfOf(bits: number): number {
  const sign = bits & 0x8000;
  const exponent = ((bits >> 7) & 0xff) - 127;
  const fraction = bits & 0x7f;
  if (exponent > LARGEST_EXPONENT) return OUT_OF_REACH;
  if (exponent >= LEAST_EXPONENT) return sign | ((exponent - LEAST_EXPONENT + 1) << 10) | (fraction << 3);
  return sign | Math.round(((1 + fraction / 128) * 2 ** exponent) / SMALLEST);
}
