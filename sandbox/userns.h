/*
 * The user namespace of the rootless modes: made by a short-lived slipway-init, mapped by newuidmap(1) and newgidmap(1)
 * or, with one id, by ourselves, then kept by a descriptor. Everything that works on files of mapped ids joins it.
 */
#pragma once

#include "sandbox/sandbox_private.h"

/* ERROR_UNSUPPORTED when this user has no ranges of ids or the programs are missing: the message is the remedy's text. */
int userns_make(struct sandbox *sb, enum sandbox_mode mode, int *fd, struct error *err);
