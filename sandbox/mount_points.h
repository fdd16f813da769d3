/*
 * Mount points that slipway-init made in the root of a step, where there is no overlay whose lower side could have
 * them: what was made is taken out when the step is over, so that no layer has it.
 *
 * Each is told by a line, REPORT_STUB's text: "MISSING SECONDS NANOSECONDS PATH", where PATH is relative to the root
 * and begins to be ours at the byte MISSING; the times are those at which the status of the folder changed in which
 * that part was made.
 */
#pragma once

#include "base/error.h"
#include "base/strlist.h"

/*
 * What is not empty stays: the step put something there. pardoned gets the folders whose status changed by the mount
 * points alone (see snapshot.h). ERROR_CORRUPT for a line that is none.
 */
int mount_points_remove(const char *root, const struct strlist *made, struct strlist *pardoned,
			struct error *err);
