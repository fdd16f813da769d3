/* Small values written in instructions. All errors are ERROR_SYNTAX without a place. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strlist.h"

/* Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False. */
bool value_bool(bool *out, const char *text);
/* Decimal (octal: base 8), digits only, at most max. */
bool value_number(uint64_t *out, const char *text, int base, uint64_t max);
/* Go's time.ParseDuration, in nanoseconds: "1m30s", "0.5h", "0". */
int value_duration(int64_t *out, const char *text, struct error *err);
/* "64m", "1.5GiB", "4096": powers of 1024, in bytes, at least 1. */
int value_size(int64_t *out, const char *text, struct error *err);
/* A signal of Linux: number 1..64, name with or without SIG, RTMIN+n, RTMAX-n. */
int value_signal(const char *text, struct error *err);

/*
 * Reads a port of EXPOSE and sets its ports in the map: [[ip:]host:]port[-port][/proto].
 * Only the container's port counts.
 */
struct port_map;
struct port_map *port_map_new(void);
void port_map_free(struct port_map *map);
CLEANUP_FREE(port_map)
/* Appends "80/tcp" for each port of spec that the map has not seen yet. */
int port_map_add(struct port_map *map, const char *spec, struct strlist *out, struct error *err);
