# slipway-init: the static program that is pid 1 of a sandboxed step, embedded
# into the sandbox library as bytes. It is never sanitized: it runs inside other
# people's root file systems, where no runtime of ours exists.
file(GLOB init_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sandbox/init.c
	${CMAKE_SOURCE_DIR}/sandbox/init_*.c)
if(init_sources)
	add_executable(slipway-init ${init_sources})
	target_compile_options(slipway-init PRIVATE ${SLIPWAY_WARNINGS} -Os -ffunction-sections)
	target_compile_definitions(slipway-init PRIVATE _GNU_SOURCE _FILE_OFFSET_BITS=64)
	target_include_directories(slipway-init PRIVATE ${CMAKE_SOURCE_DIR})
	target_link_options(slipway-init PRIVATE -static -Wl,--gc-sections -s)
	slipway_embed(sw_sandbox sandbox_init_program ${CMAKE_BINARY_DIR}/slipway-init)
	add_dependencies(sw_sandbox slipway-init)
endif()
