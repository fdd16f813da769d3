/* The findings of build checks on standard output, in the forms of "docker build --check" and "--call=check,format=json". */
#pragma once

#include "base/json.h"
#include "builder/check.h"

/* failed: an error follows, so that no count is the last word. */
void check_print_text(const struct check_list *list, const struct build_options *o, bool failed);
/* problem: what ended the check, or NULL. */
void check_print_json(const struct check_list *list, const struct build_options *o,
		      const struct error *problem);
/* {"ranges": [...]}; column 0: not known. A new reference. */
json_t *check_location_json(int line_first, int line_last, int column);
