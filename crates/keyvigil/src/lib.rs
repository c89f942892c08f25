//! keyvigil watches every encryption key in every cloud a company uses.
