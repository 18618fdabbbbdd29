"""VARIANTs, as the ground floor has them: the pipe, the worker and its backends know them by this name."""

from mxgateway_contract.variants import EMPTY, VT_ARRAY, DataType, Scalar, Variant, VarType, data_type_of, vartype_name

__all__ = ["EMPTY", "VT_ARRAY", "DataType", "Scalar", "VarType", "Variant", "data_type_of", "vartype_name"]
