/* ADD of archives: members put into the plan below the destination, their bytes into the temporary file. */
#pragma once

#include "builder/copy_collect.h"

/* Unpacks like tar -x into the job's dest, which is always a folder. name is for messages. */
int copy_unpack(struct copy_job *j, int fd, const char *name, struct error *err);
