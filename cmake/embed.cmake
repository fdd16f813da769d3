# slipway_embed(TARGET SYMBOL FILE): the bytes of the file, between SYMBOL and SYMBOL_end (then a NUL).
function(slipway_embed target symbol file)
	set(blob ${CMAKE_BINARY_DIR}/${symbol}.S)
	file(CONFIGURE OUTPUT ${blob} CONTENT ".section .rodata
.balign 16
.global ${symbol}
${symbol}:
.incbin \"${file}\"
.global ${symbol}_end
${symbol}_end:
.byte 0
.section .note.GNU-stack,\"\",%progbits
")
	set_source_files_properties(${blob} PROPERTIES OBJECT_DEPENDS ${file})
	target_sources(${target} PRIVATE ${blob})
endfunction()
