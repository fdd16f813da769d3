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
	set(init_blob ${CMAKE_BINARY_DIR}/init_blob.S)
	file(WRITE ${init_blob} ".section .rodata\n.balign 16\n"
		".global sandbox_init_program\nsandbox_init_program:\n"
		".incbin \"${CMAKE_BINARY_DIR}/slipway-init\"\n"
		".global sandbox_init_program_end\nsandbox_init_program_end:\n"
		".byte 0\n.section .note.GNU-stack,\"\",%progbits\n")
	set_source_files_properties(${init_blob} PROPERTIES
		OBJECT_DEPENDS ${CMAKE_BINARY_DIR}/slipway-init)
	target_sources(sw_sandbox PRIVATE ${init_blob})
	add_dependencies(sw_sandbox slipway-init)
endif()
