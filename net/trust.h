/* Certificates to trust: one PEM text out of several files, for a client that takes a single one. */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"

/*
 * Appends each extra file and then ca_file, or the system's bundle when ca_file is NULL (none found: nothing, the
 * folder of certificates may do). An unreadable file that somebody named is an error that names it.
 */
int trust_read(struct strbuf *pem, const char *ca_file, const struct strlist *extra,
	       struct error *err);
/* The system's bundle, or NULL: where Debian, Fedora, SUSE and Alpine keep it. */
const char *trust_system_file(void);
/* The system's folder of certificates that are named by their hashes, or NULL. */
const char *trust_system_folder(void);
