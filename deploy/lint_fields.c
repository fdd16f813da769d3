#include "deploy/lint_fields.h"

#include <string.h>

#include "base/alloc.h"
#include "base/typo.h"

/*
 * ECS's service model in botocore 1.44.5: RegisterTaskDefinitionRequest and every shape below it, in its order.
 * tests/e2e/test_task_definition.py holds it against the model of the machine and tells which rows are missing.
 */
static const struct lint_field fields[] = {
	{"", "family", FIELD_TEXT, true, NULL},
	{"", "taskRoleArn", FIELD_TEXT, false, NULL},
	{"", "executionRoleArn", FIELD_TEXT, false, NULL},
	{"", "networkMode", FIELD_TEXT, false, "bridge host awsvpc none"},
	{"", "containerDefinitions", FIELD_OBJECTS, true, "ContainerDefinition"},
	{"", "volumes", FIELD_OBJECTS, false, "Volume"},
	{"", "placementConstraints", FIELD_OBJECTS, false, "TaskDefinitionPlacementConstraint"},
	{"", "requiresCompatibilities", FIELD_TEXTS, false,
	 "EC2 FARGATE EXTERNAL MANAGED_INSTANCES"},
	{"", "cpu", FIELD_TEXT, false, NULL},
	{"", "memory", FIELD_TEXT, false, NULL},
	{"", "tags", FIELD_OBJECTS, false, "Tag"},
	{"", "pidMode", FIELD_TEXT, false, "host task"},
	{"", "ipcMode", FIELD_TEXT, false, "host task none"},
	{"", "proxyConfiguration", FIELD_OBJECT, false, "ProxyConfiguration"},
	{"", "inferenceAccelerators", FIELD_OBJECTS, false, "InferenceAccelerator"},
	{"", "ephemeralStorage", FIELD_OBJECT, false, "EphemeralStorage"},
	{"", "runtimePlatform", FIELD_OBJECT, false, "RuntimePlatform"},
	{"", "enableFaultInjection", FIELD_FLAG, false, NULL},
	{"", "trustedExecutionConfiguration", FIELD_OBJECT, false, "TrustedExecutionConfiguration"},
	{"ContainerDefinition", "name", FIELD_TEXT, false, NULL},
	{"ContainerDefinition", "image", FIELD_TEXT, false, NULL},
	{"ContainerDefinition", "repositoryCredentials", FIELD_OBJECT, false,
	 "RepositoryCredentials"},
	{"ContainerDefinition", "cpu", FIELD_NUMBER, false, NULL},
	{"ContainerDefinition", "memory", FIELD_NUMBER, false, NULL},
	{"ContainerDefinition", "memoryReservation", FIELD_NUMBER, false, NULL},
	{"ContainerDefinition", "links", FIELD_TEXTS, false, NULL},
	{"ContainerDefinition", "portMappings", FIELD_OBJECTS, false, "PortMapping"},
	{"ContainerDefinition", "essential", FIELD_FLAG, false, NULL},
	{"ContainerDefinition", "restartPolicy", FIELD_OBJECT, false, "ContainerRestartPolicy"},
	{"ContainerDefinition", "entryPoint", FIELD_TEXTS, false, NULL},
	{"ContainerDefinition", "command", FIELD_TEXTS, false, NULL},
	{"ContainerDefinition", "environment", FIELD_OBJECTS, false, "KeyValuePair"},
	{"ContainerDefinition", "environmentFiles", FIELD_OBJECTS, false, "EnvironmentFile"},
	{"ContainerDefinition", "mountPoints", FIELD_OBJECTS, false, "MountPoint"},
	{"ContainerDefinition", "volumesFrom", FIELD_OBJECTS, false, "VolumeFrom"},
	{"ContainerDefinition", "linuxParameters", FIELD_OBJECT, false, "LinuxParameters"},
	{"ContainerDefinition", "secrets", FIELD_OBJECTS, false, "Secret"},
	{"ContainerDefinition", "dependsOn", FIELD_OBJECTS, false, "ContainerDependency"},
	{"ContainerDefinition", "startTimeout", FIELD_NUMBER, false, NULL},
	{"ContainerDefinition", "stopTimeout", FIELD_NUMBER, false, NULL},
	{"ContainerDefinition", "versionConsistency", FIELD_TEXT, false, "enabled disabled"},
	{"ContainerDefinition", "hostname", FIELD_TEXT, false, NULL},
	{"ContainerDefinition", "user", FIELD_TEXT, false, NULL},
	{"ContainerDefinition", "workingDirectory", FIELD_TEXT, false, NULL},
	{"ContainerDefinition", "disableNetworking", FIELD_FLAG, false, NULL},
	{"ContainerDefinition", "privileged", FIELD_FLAG, false, NULL},
	{"ContainerDefinition", "readonlyRootFilesystem", FIELD_FLAG, false, NULL},
	{"ContainerDefinition", "dnsServers", FIELD_TEXTS, false, NULL},
	{"ContainerDefinition", "dnsSearchDomains", FIELD_TEXTS, false, NULL},
	{"ContainerDefinition", "extraHosts", FIELD_OBJECTS, false, "HostEntry"},
	{"ContainerDefinition", "dockerSecurityOptions", FIELD_TEXTS, false, NULL},
	{"ContainerDefinition", "interactive", FIELD_FLAG, false, NULL},
	{"ContainerDefinition", "pseudoTerminal", FIELD_FLAG, false, NULL},
	{"ContainerDefinition", "dockerLabels", FIELD_MAP, false, NULL},
	{"ContainerDefinition", "ulimits", FIELD_OBJECTS, false, "Ulimit"},
	{"ContainerDefinition", "logConfiguration", FIELD_OBJECT, false, "LogConfiguration"},
	{"ContainerDefinition", "healthCheck", FIELD_OBJECT, false, "HealthCheck"},
	{"ContainerDefinition", "systemControls", FIELD_OBJECTS, false, "SystemControl"},
	{"ContainerDefinition", "resourceRequirements", FIELD_OBJECTS, false,
	 "ResourceRequirement"},
	{"ContainerDefinition", "firelensConfiguration", FIELD_OBJECT, false,
	 "FirelensConfiguration"},
	{"ContainerDefinition", "credentialSpecs", FIELD_TEXTS, false, NULL},
	{"RepositoryCredentials", "credentialsParameter", FIELD_TEXT, true, NULL},
	{"PortMapping", "containerPort", FIELD_NUMBER, false, NULL},
	{"PortMapping", "hostPort", FIELD_NUMBER, false, NULL},
	{"PortMapping", "protocol", FIELD_TEXT, false, "tcp udp"},
	{"PortMapping", "name", FIELD_TEXT, false, NULL},
	{"PortMapping", "appProtocol", FIELD_TEXT, false, "http http2 grpc"},
	{"PortMapping", "containerPortRange", FIELD_TEXT, false, NULL},
	{"ContainerRestartPolicy", "enabled", FIELD_FLAG, true, NULL},
	{"ContainerRestartPolicy", "ignoredExitCodes", FIELD_NUMBERS, false, NULL},
	{"ContainerRestartPolicy", "restartAttemptPeriod", FIELD_NUMBER, false, NULL},
	{"KeyValuePair", "name", FIELD_TEXT, false, NULL},
	{"KeyValuePair", "value", FIELD_TEXT, false, NULL},
	{"EnvironmentFile", "value", FIELD_TEXT, true, NULL},
	{"EnvironmentFile", "type", FIELD_TEXT, true, "s3"},
	{"MountPoint", "sourceVolume", FIELD_TEXT, false, NULL},
	{"MountPoint", "containerPath", FIELD_TEXT, false, NULL},
	{"MountPoint", "readOnly", FIELD_FLAG, false, NULL},
	{"VolumeFrom", "sourceContainer", FIELD_TEXT, false, NULL},
	{"VolumeFrom", "readOnly", FIELD_FLAG, false, NULL},
	{"LinuxParameters", "capabilities", FIELD_OBJECT, false, "KernelCapabilities"},
	{"LinuxParameters", "devices", FIELD_OBJECTS, false, "Device"},
	{"LinuxParameters", "initProcessEnabled", FIELD_FLAG, false, NULL},
	{"LinuxParameters", "sharedMemorySize", FIELD_NUMBER, false, NULL},
	{"LinuxParameters", "tmpfs", FIELD_OBJECTS, false, "Tmpfs"},
	{"LinuxParameters", "maxSwap", FIELD_NUMBER, false, NULL},
	{"LinuxParameters", "swappiness", FIELD_NUMBER, false, NULL},
	{"KernelCapabilities", "add", FIELD_TEXTS, false, NULL},
	{"KernelCapabilities", "drop", FIELD_TEXTS, false, NULL},
	{"Device", "hostPath", FIELD_TEXT, true, NULL},
	{"Device", "containerPath", FIELD_TEXT, false, NULL},
	{"Device", "permissions", FIELD_TEXTS, false, "read write mknod"},
	{"Tmpfs", "containerPath", FIELD_TEXT, true, NULL},
	{"Tmpfs", "size", FIELD_NUMBER, true, NULL},
	{"Tmpfs", "mountOptions", FIELD_TEXTS, false, NULL},
	{"Secret", "name", FIELD_TEXT, true, NULL},
	{"Secret", "valueFrom", FIELD_TEXT, true, NULL},
	{"ContainerDependency", "containerName", FIELD_TEXT, true, NULL},
	{"ContainerDependency", "condition", FIELD_TEXT, true, "START COMPLETE SUCCESS HEALTHY"},
	{"HostEntry", "hostname", FIELD_TEXT, true, NULL},
	{"HostEntry", "ipAddress", FIELD_TEXT, true, NULL},
	{"Ulimit", "name", FIELD_TEXT, true,
	 "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"},
	{"Ulimit", "softLimit", FIELD_NUMBER, true, NULL},
	{"Ulimit", "hardLimit", FIELD_NUMBER, true, NULL},
	{"LogConfiguration", "logDriver", FIELD_TEXT, true,
	 "json-file syslog journald gelf fluentd awslogs splunk awsfirelens"},
	{"LogConfiguration", "options", FIELD_MAP, false, NULL},
	{"LogConfiguration", "secretOptions", FIELD_OBJECTS, false, "Secret"},
	{"HealthCheck", "command", FIELD_TEXTS, true, NULL},
	{"HealthCheck", "interval", FIELD_NUMBER, false, NULL},
	{"HealthCheck", "timeout", FIELD_NUMBER, false, NULL},
	{"HealthCheck", "retries", FIELD_NUMBER, false, NULL},
	{"HealthCheck", "startPeriod", FIELD_NUMBER, false, NULL},
	{"SystemControl", "namespace", FIELD_TEXT, false, NULL},
	{"SystemControl", "value", FIELD_TEXT, false, NULL},
	{"ResourceRequirement", "value", FIELD_TEXT, false, NULL},
	{"ResourceRequirement", "type", FIELD_TEXT, true, "GPU InferenceAccelerator NeuronDevice"},
	{"ResourceRequirement", "sharingStrategy", FIELD_OBJECT, false, "SharingStrategy"},
	{"SharingStrategy", "nvidiaMps", FIELD_OBJECT, false, "NvidiaMpsAllocation"},
	{"NvidiaMpsAllocation", "memory", FIELD_NUMBER, true, NULL},
	{"NvidiaMpsAllocation", "maxComputePercent", FIELD_NUMBER, false, NULL},
	{"FirelensConfiguration", "type", FIELD_TEXT, true, "fluentd fluentbit"},
	{"FirelensConfiguration", "options", FIELD_MAP, false, NULL},
	{"Volume", "name", FIELD_TEXT, false, NULL},
	{"Volume", "host", FIELD_OBJECT, false, "HostVolumeProperties"},
	{"Volume", "dockerVolumeConfiguration", FIELD_OBJECT, false, "DockerVolumeConfiguration"},
	{"Volume", "efsVolumeConfiguration", FIELD_OBJECT, false, "EFSVolumeConfiguration"},
	{"Volume", "s3filesVolumeConfiguration", FIELD_OBJECT, false, "S3FilesVolumeConfiguration"},
	{"Volume", "fsxWindowsFileServerVolumeConfiguration", FIELD_OBJECT, false,
	 "FSxWindowsFileServerVolumeConfiguration"},
	{"Volume", "configuredAtLaunch", FIELD_FLAG, false, NULL},
	{"HostVolumeProperties", "sourcePath", FIELD_TEXT, false, NULL},
	{"DockerVolumeConfiguration", "scope", FIELD_TEXT, false, "task shared"},
	{"DockerVolumeConfiguration", "autoprovision", FIELD_FLAG, false, NULL},
	{"DockerVolumeConfiguration", "driver", FIELD_TEXT, false, NULL},
	{"DockerVolumeConfiguration", "driverOpts", FIELD_MAP, false, NULL},
	{"DockerVolumeConfiguration", "labels", FIELD_MAP, false, NULL},
	{"EFSVolumeConfiguration", "fileSystemId", FIELD_TEXT, true, NULL},
	{"EFSVolumeConfiguration", "rootDirectory", FIELD_TEXT, false, NULL},
	{"EFSVolumeConfiguration", "transitEncryption", FIELD_TEXT, false, "ENABLED DISABLED"},
	{"EFSVolumeConfiguration", "transitEncryptionPort", FIELD_NUMBER, false, NULL},
	{"EFSVolumeConfiguration", "authorizationConfig", FIELD_OBJECT, false,
	 "EFSAuthorizationConfig"},
	{"EFSAuthorizationConfig", "accessPointId", FIELD_TEXT, false, NULL},
	{"EFSAuthorizationConfig", "iam", FIELD_TEXT, false, "ENABLED DISABLED"},
	{"S3FilesVolumeConfiguration", "fileSystemArn", FIELD_TEXT, true, NULL},
	{"S3FilesVolumeConfiguration", "rootDirectory", FIELD_TEXT, false, NULL},
	{"S3FilesVolumeConfiguration", "transitEncryptionPort", FIELD_NUMBER, false, NULL},
	{"S3FilesVolumeConfiguration", "accessPointArn", FIELD_TEXT, false, NULL},
	{"FSxWindowsFileServerVolumeConfiguration", "fileSystemId", FIELD_TEXT, true, NULL},
	{"FSxWindowsFileServerVolumeConfiguration", "rootDirectory", FIELD_TEXT, true, NULL},
	{"FSxWindowsFileServerVolumeConfiguration", "authorizationConfig", FIELD_OBJECT, true,
	 "FSxWindowsFileServerAuthorizationConfig"},
	{"FSxWindowsFileServerAuthorizationConfig", "credentialsParameter", FIELD_TEXT, true, NULL},
	{"FSxWindowsFileServerAuthorizationConfig", "domain", FIELD_TEXT, true, NULL},
	{"TaskDefinitionPlacementConstraint", "type", FIELD_TEXT, false, "memberOf"},
	{"TaskDefinitionPlacementConstraint", "expression", FIELD_TEXT, false, NULL},
	{"Tag", "key", FIELD_TEXT, false, NULL},
	{"Tag", "value", FIELD_TEXT, false, NULL},
	{"ProxyConfiguration", "type", FIELD_TEXT, false, "APPMESH"},
	{"ProxyConfiguration", "containerName", FIELD_TEXT, true, NULL},
	{"ProxyConfiguration", "properties", FIELD_OBJECTS, false, "KeyValuePair"},
	{"InferenceAccelerator", "deviceName", FIELD_TEXT, true, NULL},
	{"InferenceAccelerator", "deviceType", FIELD_TEXT, true, NULL},
	{"EphemeralStorage", "sizeInGiB", FIELD_NUMBER, true, NULL},
	{"RuntimePlatform", "cpuArchitecture", FIELD_TEXT, false, "X86_64 ARM64"},
	{"RuntimePlatform", "operatingSystemFamily", FIELD_TEXT, false,
	 "WINDOWS_SERVER_2019_FULL WINDOWS_SERVER_2019_CORE WINDOWS_SERVER_2016_FULL WINDOWS_SERVER_2004_CORE WINDOWS_SERVER_2022_CORE WINDOWS_SERVER_2022_FULL WINDOWS_SERVER_2025_CORE WINDOWS_SERVER_2025_FULL WINDOWS_SERVER_20H2_CORE LINUX"},
	{"TrustedExecutionConfiguration", "isolationMode", FIELD_TEXT, true,
	 "SHARED ISOLATED_SANDBOX CONFIDENTIAL_SANDBOX"},
	{"TrustedExecutionConfiguration", "attestationPolicy", FIELD_TEXT, false, NULL},
};

const struct lint_field *lint_field_find(const char *shape, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(fields[i].shape, shape) == 0 && strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

const struct lint_field *lint_field_next(const char *shape, const struct lint_field *last)
{
	for (const struct lint_field *f = last ? last + 1 : fields; f < fields + ARRAY_SIZE(fields);
	     f++)
		if (strcmp(f->shape, shape) == 0)
			return f;
	return NULL;
}

const char *lint_field_nearest(const char *shape, const char *name)
{
	const struct lint_field *f = NULL;
	const char *best = NULL;
	size_t best_distance = strlen(name) / 3 + 2;

	while ((f = lint_field_next(shape, f))) {
		size_t distance = typo_distance(name, f->name);

		if (distance < best_distance) {
			best_distance = distance;
			best = f->name;
		}
	}
	return best;
}
