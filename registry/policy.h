/*
 * Where a registry may send us: token servers (realm), upload sessions (Location), redirects. A hostile or hijacked
 * registry must not use us to reach the inside of a network, to lower the protection of the connection, or to collect
 * credentials (the class of oras CVE-2026-48978 and -50151, distribution CVE-2026-33540).
 *
 * Refused, ERROR_DENIED with the address in the message:
 * - schemes other than http and https, and userinfo;
 * - http, when the registry itself is spoken to over https;
 * - addresses that belong to no public network, unless it is the registry's own host, or both are this machine.
 */
#pragma once

#include "net/url.h"

/* what: "token server", "upload session", "redirect". */
int policy_check(const struct url *registry, const struct url *target, const char *what,
		 struct error *err);
