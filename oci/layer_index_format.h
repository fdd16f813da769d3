/*
 * The file meta/index/HEX: INDEX_MAGIC, records, one byte INDEX_END, the number of records as a varint, and the
 * SHA-256 of all before. Only oci/layer_index*.c include this.
 *
 * A record: a byte of type and flags; the length that the path shares with the record before it, cut after a "/", as
 * a varint; the rest of the path as a string. Then, by type: nothing (whiteouts), the target as a string (hard
 * links), or mode, uid, gid, mtime (zigzag), and size (files), target (symbolic links) or two device numbers. Then,
 * as flagged, the 32 bytes of the content's SHA-256, and the number of xattrs, each two strings.
 * A string is its length as a varint, its bytes and a NUL, so that the mapped file serves as C strings. A varint has
 * seven bits a byte, low ones first.
 */
#pragma once

#define INDEX_MAGIC       "slipway index 1\n"
#define INDEX_MAGIC_BYTES 16u
#define INDEX_TYPE        0x0fu
#define INDEX_CONTENT     0x10u
#define INDEX_XATTRS      0x20u
#define INDEX_END         0xffu
#define INDEX_FOLDER      "index" /* below meta/ */
