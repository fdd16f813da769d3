/* How a deploy ended; its exit code follows from it (cli/cmd_deploy.c). */
#pragma once

enum deploy_outcome {
	DEPLOY_RUNNING,     /* as asked for */
	DEPLOY_UNCHANGED,   /* it ran like this before */
	DEPLOY_ENDED,       /* a task that ended by itself with success */
	DEPLOY_FAILED,      /* and nothing came in its place */
	DEPLOY_ROLLED_BACK, /* the version before runs on, or is being brought back */
	DEPLOY_TIMED_OUT,   /* still under way: left as it is */
};
