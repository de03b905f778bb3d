// SPDX-License-Identifier: MIT
// Replaces npm's chance for sticky-cluster's own benchmark. It makes the addresses of
// bench/lib/addresses.c as text, the same in every run.

// The same as in bench/lib/mix.h.
function mix32(x) {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

class Chance {
  #number = 0;

  #words(count) {
    const first = 4 * this.#number + 1;
    this.#number += 1;
    return Array.from({ length: count }, (_, i) => mix32(first + i));
  }

  ip() {
    const [word] = this.#words(1);
    return [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff).join('.');
  }

  // No address has two groups of zeros in a row, which would be written as ::.
  ipv6() {
    return this.#words(4)
      .flatMap((word) => [word >>> 16, word & 0xffff])
      .map((group) => group.toString(16)).join(':');
  }
}

module.exports = Chance;
module.exports.mix32 = mix32;
