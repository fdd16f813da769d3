/* Certificates kept for one registry, as docker keeps them: CERTS_DIR/HOST[:PORT]/{*.crt, *.cert with *.key}. */
#pragma once

#include "base/strlist.h"

/*
 * Looks in DIR/name, then DIR/other_name, of each folder: the *.crt to trust besides the system's, and the first *.cert
 * that has its *.key (free() both; NULL: none).
 */
void certs_find(const struct strlist *dirs, const char *name, const char *other_name,
		struct strlist *ca_files, char **client_cert, char **client_key);
