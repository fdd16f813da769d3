/* The rule about RUNs that a cache mount would make faster. */
#pragma once

#include "dockerfile/check.h"
#include "dockerfile/instruction.h"

/*
 * Looks for package managers at the beginning of the commands of run. None when it has a cache mount already, no network, or
 * told the tool to keep nothing.
 */
void check_run(struct check_list *list, const struct instruction *at,
	       const struct run_instruction *run);
