type KeyMaker = Pick<typeof import('ssh2').utils, 'generateKeyPairSync' | 'parseKey'>;

/** A new ed25519 private key that ssh2 itself can read: some of those it generates are malformed (ssh2 1.17, about 0.4 %). */
export function newHostKey(utils: KeyMaker): string {
  for (;;) {
    const { private: key } = utils.generateKeyPairSync('ed25519');
    if (!(utils.parseKey(key) instanceof Error)) return key;
  }
}
