"""deltas.py REPOSITORY SIZE: makes the branch main of a bare repository a commit with a file of SIZE bytes, which its pack
stores as a delta of some hundred bytes. Nothing reads the file here, so that this takes little memory."""

import hashlib
import pathlib
import struct
import sys
import zlib

COMMIT, TREE, BLOB, REF_DELTA = 1, 2, 3, 7
LARGEST_COPY = 0xFFFFFF


def varint(number, first=b""):
    """git's format documentation, pack-format(5): seven bits a byte, the low ones first."""
    encoded = bytearray(first)
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def header(kind, size):
    if size < 16:
        return bytes([kind << 4 | size])
    return varint(size >> 4, bytes([kind << 4 | size & 15 | 0x80]))


def identify(kind, parts, size):
    digest = hashlib.sha1(b"%s %d\0" % (kind, size))
    for part in parts:
        digest.update(part)
    return digest.digest()


def main():
    repository, size = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    entries = {}

    def add(name, kind, content, before=b""):
        entries[name] = header(kind, len(content)) + before + zlib.compress(content, 9)

    base = bytes(1 << 24)
    base_name = identify(b"blob", [base], len(base))
    add(base_name, BLOB, base)

    delta = varint(len(base)) + varint(size)
    left = size
    while left > 0:
        length = min(left, LARGEST_COPY)
        # copy from offset 0; three bytes of length
        delta += bytes([0xF0]) + length.to_bytes(3, "little")
        left -= length
    whole, rest = divmod(size, len(base))
    large = identify(b"blob", [base] * whole + [base[:rest]], size)
    add(large, REF_DELTA, delta, base_name)

    tree = b"100644 a\0" + base_name + b"100644 b\0" + large
    tree_name = identify(b"tree", [tree], len(tree))
    add(tree_name, TREE, tree)
    person = b"a <a@b> 1700000000 +0000"
    commit = b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (tree_name.hex().encode(), person, person)
    commit_name = identify(b"commit", [commit], len(commit))
    add(commit_name, COMMIT, commit)

    pack = b"PACK" + struct.pack(">II", 2, len(entries))
    offsets = {}
    for name, content in entries.items():
        offsets[name] = len(pack)
        pack += content
    pack += hashlib.sha1(pack).digest()

    # its index, so that no git has to read the objects
    names = sorted(entries)
    index = b"\377tOc" + struct.pack(">I", 2)
    index += b"".join(struct.pack(">I", sum(name[0] <= byte for name in names)) for byte in range(256))
    index += b"".join(names)
    index += b"".join(struct.pack(">I", zlib.crc32(entries[name])) for name in names)
    index += b"".join(struct.pack(">I", offsets[name]) for name in names)
    index += pack[-20:]
    index += hashlib.sha1(index).digest()

    stem = repository / "objects/pack" / f"pack-{pack[-20:].hex()}"
    stem.with_suffix(".pack").write_bytes(pack)
    stem.with_suffix(".idx").write_bytes(index)
    (repository / "refs/heads/main").write_text(commit_name.hex() + "\n")


main()
