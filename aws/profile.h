/*
 * The SDKs' files: ~/.aws/config ("[default]", "[profile NAME]", "[sso-session NAME]", "[services NAME]") and
 * ~/.aws/credentials ("[NAME]"). A missing file is an empty one. Keys of nested blocks are "outer.inner". What the
 * credentials file says of a profile wins over the config file.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/strmap.h"

struct aws_profiles {
	struct strmap values; /* "kind name\nkey"; values may be secret */
};

/* NULL paths are missing files. ERROR_SYNTAX with file:line, never quoting a value. */
int aws_profiles_load(struct aws_profiles *out, const char *config_path,
		      const char *credentials_path, struct error *err);
void aws_profiles_release(struct aws_profiles *p); /* wipes */

bool aws_profile_exists(const struct aws_profiles *p, const char *profile);
/* NULL when missing or empty. */
const char *aws_profile_get(const struct aws_profiles *p, const char *profile, const char *key);
/* kind: "sso-session" or "services". */
const char *aws_section_get(const struct aws_profiles *p, const char *kind, const char *name,
			    const char *key);

CLEANUP_RELEASE(aws_profiles)
