# -DNM= -DFILES=a,b: fails if one of them defines a symbol of Gloo's, or one of
# c10d's that is made from them. Undefined ones come from libtorch and are fine.
string(REPLACE "," ";" files "${FILES}")
foreach(file ${files})
  execute_process(COMMAND ${NM} -C --defined-only ${file}
    OUTPUT_VARIABLE symbols RESULT_VARIABLE code)
  if(NOT code EQUAL 0 OR NOT symbols MATCHES "nxdt::comm")
    message(FATAL_ERROR "${NM} cannot read ${file}")
  endif()
  string(REGEX MATCHALL "[^\n]*(gloo::|GlooStore)[^\n]*" found "${symbols}")
  if(found)
    string(REPLACE ";" "\n" found "${found}")
    message(FATAL_ERROR "${file} defines symbols of Gloo:\n${found}")
  endif()
endforeach()
