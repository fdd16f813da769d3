#include "cli/cmd.h"

const struct command commands[] = {
	{"build", "Build an image from a Dockerfile", cmd_build},
	{"df", "Show what the state folder holds", cmd_df},
	{"doctor", "Show what this machine allows, and the sandbox in use", cmd_doctor},
	{"fsck", "Verify every blob and reference of the store", cmd_fsck},
	{"history", "Show the history of an image", cmd_history},
	{"images", "List images", cmd_images},
	{"inspect", "Show an image's details as JSON", cmd_inspect},
	{"load", "Load images from an archive", cmd_load},
	{"login", "Log in to a registry", cmd_login},
	{"logout", "Log out from a registry", cmd_logout},
	{"prune", "Remove what no image needs", cmd_prune},
	{"pull", "Download an image from a registry", cmd_pull},
	{"push", "Upload an image to a registry", cmd_push},
	{"rmi", "Remove images", cmd_rmi},
	{"run", "Run an image's command in a sandbox", cmd_run},
	{"save", "Write images to an archive", cmd_save},
	{"tag", "Give an image a further name", cmd_tag},
	{"version", "Show the version", cmd_version},
	{NULL, NULL, NULL},
};
