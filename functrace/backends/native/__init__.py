"""The native backend: Programs as machine code, by LLVM (the extra ``functrace[native]``)."""
