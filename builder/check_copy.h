/* The rules about what COPY and ADD take from the build context. */
#pragma once

#include "builder/build_state.h"

/* copy: of an expanded COPY or ADD; at: where a finding stands. */
void check_copy(struct build_target *t, const struct instruction *at,
		const struct instruction *ready);
