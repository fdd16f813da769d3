/*
 * The ports of EXPOSE: [[ip:]host:]port[-port][/proto]. Only the container's
 * port counts; ranges give one entry each.
 *
 *	AUTO_PTR(port_map) map = port_map_new();
 *	port_map_add(map, "8000-8001", &ports, err);      adds "8000/tcp", "8001/tcp"
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strlist.h"

/* Which ports were seen. */
struct port_map;

struct port_map *port_map_new(void);
void port_map_free(struct port_map *map);
CLEANUP_FREE(port_map)
/*
 * Appends "80/tcp" for each port of spec that the map has not seen yet; with a NULL out
 * spec is only checked. ERROR_SYNTAX without a place.
 */
int port_map_add(struct port_map *map, const char *spec, struct strlist *out, struct error *err);
