/* The builder's fetch_source: URLs over net/fetch, repositories over net/git, with the build's own credentials. */
#pragma once

#include "cli/app.h"
#include "cli/build_inputs.h"

struct fetching {
	struct app *app;
	const struct build_inputs *inputs; /* secrets GIT_AUTH_*, HTTP_AUTH_*; --ssh default */
};

struct fetch_source fetching_source(struct fetching *f);
