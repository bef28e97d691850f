# Compiler, linker and cache settings that every target shares.
find_program(NXDT_CCACHE ccache)
if(NXDT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${NXDT_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${NXDT_CCACHE})
endif()
find_program(NXDT_MOLD mold)
if(NXDT_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Release builds keep our own asserts: they are for us, and cheap.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

# nxdt_warnings(TARGET): our own code only; dependencies are SYSTEM includes.
function(nxdt_warnings target)
  # -Wrestrict is wrong on std::string in GCC 12 (its bug 105329).
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-unused-parameter
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
    $<$<BOOL:${NXDT_WERROR}>:-Werror>)
endfunction()

# nxdt_library(NAME sources... LINK targets...): a static library with the house's settings.
function(nxdt_library name)
  cmake_parse_arguments(A "SHARED" "" "LINK" ${ARGN})
  if(A_SHARED)
    add_library(${name} SHARED ${A_UNPARSED_ARGUMENTS})
  else()
    add_library(${name} STATIC ${A_UNPARSED_ARGUMENTS})
  endif()
  target_link_libraries(${name} PUBLIC ${A_LINK})
  nxdt_warnings(${name})
endfunction()

# nxdt_executable(NAME sources... LINK targets...)
function(nxdt_executable name)
  cmake_parse_arguments(A "" "" "LINK" ${ARGN})
  add_executable(${name} ${A_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${A_LINK})
  nxdt_warnings(${name})
endfunction()

# nxdt_unit_test(NAME sources... LINK targets...): a gtest binary registered with ctest as one test.
function(nxdt_unit_test name)
  if(NOT NXDT_ENABLE_TESTS)
    return()
  endif()
  cmake_parse_arguments(A "" "" "LINK" ${ARGN})
  add_executable(${name} ${A_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${A_LINK} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    NXDT_TEST_INPUTS="${CMAKE_SOURCE_DIR}/test/Inputs"
    NXDT_GOLDEN_DIR="${NXDT_GOLDEN_DIR}"
    NXDT_UPSTREAM_CONFIGS="${NXDT_UPSTREAM_CONFIGS}")
  nxdt_warnings(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/bin)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
