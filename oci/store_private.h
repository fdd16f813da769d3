/* What the files of the store share; others use oci/store.h. */
#pragma once

#include "oci/store.h"

struct store {
	char *root;
	int dirfd;
	const struct cancel *cancel;
	struct reporter *reporter;
	int timeout_ms;
	bool only_looks;
};

/* *missing: the folder has no oci-layout file. ERROR_UNSUPPORTED for another version than 1.0.0. */
int store_check_layout(int dirfd, const char *folder, bool *missing, struct error *err);
