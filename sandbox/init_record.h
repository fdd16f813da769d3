/*
 * Owners of files that take no attribute, as symbolic links: by inode and time of birth, as an overlay mount shows them. They come from the
 * layers (a file "owners" beside the folder of each) and go to the file that the change set's layer is made with.
 */
#pragma once

#include "oci/owner_mark.h"
#include "sandbox/init.h"

/* Before the root is entered: reads what the layers have, opens what is to be written. */
void records_open(const struct orders *o);
/* In the root. */
void records_begin(void);
/* Has any such file an owner that is not root? */
bool records_any(void);
/* fd: O_PATH. False: root owns it, as far as is known. */
bool record_find(int fd, struct owner_mark *m);
/* The file is part of the change set afterwards. Returns 0, or -1 with errno. */
int record_set(int fd, const struct owner_mark *m);
/* A rename, or a further name, takes an owner known from a layer along. */
void record_keep(int fd);
/* Is the file on the root's own mount, not on one that the step shows there? */
bool record_is_in_root(int fd);
