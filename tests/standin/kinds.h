// Every kind of value, made here and written down as it comes in: by it a test knows each bit on both ways.
// Items Kind.NAME hold one VARIANT each; Kind.Ref.NAME deliver the same by reference. Kind.Echo takes whatever is written as it
// is and delivers it; Kind.Image then says what came in: "vt=XXXX data=HEX", of an array "vt=XXXX counts=A,B data=HEX …", a
// text as its UTF-16.
#pragma once
#include "plant.h"
static VARIANT scalar(VARTYPE vt, unsigned long long bits)
{ VARIANT v; VariantInit(&v); v.vt = vt; v.ullVal = bits; return v; }
static VARIANT real(double d) { VARIANT v; VariantInit(&v); v.vt = VT_R8; v.dblVal = d; return v; }
static VARIANT date(double d) { VARIANT v = real(d); v.vt = VT_DATE; return v; }
static VARIANT text(const wchar_t *s, UINT n) { VARIANT v; VariantInit(&v); v.vt = VT_BSTR; v.bstrVal = SysAllocStringLen(s, n); return v; }
static VARIANT decimal(BYTE scale, BYTE sign, ULONG high, ULONGLONG low)
{ VARIANT v; VariantInit(&v); v.decVal.scale = scale; v.decVal.sign = sign; v.decVal.Hi32 = high; v.decVal.Lo64 = low; v.vt = VT_DECIMAL; return v; }
// Elements as they lie in memory, the first index running fastest.
static VARIANT array(VARTYPE vt, std::vector<SAFEARRAYBOUND> bounds, const void *elements, size_t bytes)
{
    VARIANT v; VariantInit(&v); v.vt = VT_ARRAY | vt;
    v.parray = SafeArrayCreate(vt, bounds.size(), bounds.data());
    void *data; SafeArrayAccessData(v.parray, &data); if (bytes) memcpy(data, elements, bytes); SafeArrayUnaccessData(v.parray);
    return v;
}
template <class T> static VARIANT vector(VARTYPE vt, std::vector<T> e)
{ return array(vt, {{(ULONG)e.size(), 0}}, e.data(), e.size() * sizeof(T)); }
// The object behind VT_DISPATCH and VT_UNKNOWN; it never goes.
class Nobody final : public IDispatch {
public:
    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID r, void **p) override
    { *p = r == IID_IUnknown || r == IID_IDispatch ? this : nullptr; return *p ? S_OK : E_NOINTERFACE; }
    ULONG STDMETHODCALLTYPE AddRef() override { return 2; }
    ULONG STDMETHODCALLTYPE Release() override { return 1; }
    HRESULT STDMETHODCALLTYPE GetTypeInfoCount(UINT *n) override { *n = 0; return S_OK; }
    HRESULT STDMETHODCALLTYPE GetTypeInfo(UINT, LCID, ITypeInfo **) override { return E_NOTIMPL; }
    HRESULT STDMETHODCALLTYPE GetIDsOfNames(REFIID, LPOLESTR *, UINT, LCID, DISPID *) override { return E_NOTIMPL; }
    HRESULT STDMETHODCALLTYPE Invoke(DISPID, REFIID, LCID, WORD, DISPPARAMS *, VARIANT *, EXCEPINFO *, UINT *) override { return E_NOTIMPL; }
};
static Nobody g_nobody;

static std::vector<std::pair<const wchar_t *, VARIANT>> kinds()
{
    std::vector<std::pair<const wchar_t *, VARIANT>> all = {
        {L"Empty", scalar(VT_EMPTY, 0)}, {L"Null", scalar(VT_NULL, 0)},
        {L"I2Low", scalar(VT_I2, 0x8000)}, {L"I2High", scalar(VT_I2, 0x7FFF)}, {L"I2Dirty", scalar(VT_I2, 0xFFFFFFFFFFFF0007)},
        {L"I4Low", scalar(VT_I4, 0x80000000)}, {L"I4High", scalar(VT_I4, 0x7FFFFFFF)}, {L"I4Dirty", scalar(VT_I4, 0xFFFFFFFF00000007)},
        {L"R4Least", scalar(VT_R4, 0x00000001)}, {L"R4Most", scalar(VT_R4, 0x7F7FFFFF)}, {L"R4Zero", scalar(VT_R4, 0x80000000)},
        {L"R4Infinite", scalar(VT_R4, 0xFF800000)}, {L"R4NaN", scalar(VT_R4, 0x7FC00000)}, {L"R4Tenth", scalar(VT_R4, 0x3DCCCCCD)},
        {L"R8Least", scalar(VT_R8, 1)}, {L"R8Most", scalar(VT_R8, 0x7FEFFFFFFFFFFFFF)}, {L"R8Zero", scalar(VT_R8, 0x8000000000000000)},
        {L"R8Infinite", scalar(VT_R8, 0xFFF0000000000000)}, {L"R8NaN", scalar(VT_R8, 0x7FF8000000000000)},
        {L"CyLow", scalar(VT_CY, 0x8000000000000000)}, {L"CyHigh", scalar(VT_CY, 0x7FFFFFFFFFFFFFFF)}, {L"CyLeast", scalar(VT_CY, (ULONGLONG)-1)},
        {L"CyPlain", scalar(VT_CY, 123456789)},
        {L"DateFirst", date(-657434.0)}, {L"DateLast", date(2958465.5)}, {L"DateEpoch", date(25569.0)}, {L"DateZero", date(0.0)},
        {L"DateNegative", date(-1.25)}, {L"DateMicro", date(45000 + 1 / 86400e6)}, {L"DateLeap", date(36585.0)},
        {L"DateBeyond", date(2958466.0)}, {L"DateNaN", scalar(VT_DATE, 0x7FF8000000000000)},
        {L"TextNone", scalar(VT_BSTR, 0)}, {L"TextEmpty", text(L"", 0)}, {L"TextNul", text(L"a\0b", 3)}, {L"TextWide", text(L"\xE9\x4E2D\xD83D\xDE00", 4)},
        {L"TextAlone", text(L"x\xD800y", 3)}, {L"TextLong", text(String(70000, L'z').c_str(), 70000)},
        {L"ErrorLow", scalar(VT_ERROR, 0x80020004)}, {L"ErrorHigh", scalar(VT_ERROR, 0x7FFFFFFF)},
        {L"BoolTrue", scalar(VT_BOOL, 0xFFFF)}, {L"BoolFalse", scalar(VT_BOOL, 0)}, {L"BoolOne", scalar(VT_BOOL, 1)}, {L"BoolDirty", scalar(VT_BOOL, 0xFFFFFFFFFFFF0000)},
        {L"Dispatch", scalar(VT_DISPATCH, (ULONG)(ULONG_PTR)&g_nobody)}, {L"Unknown", scalar(VT_UNKNOWN, 0)},
        {L"DecimalMost", decimal(0, 0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)}, {L"DecimalLeast", decimal(28, DECIMAL_NEG, 0, 1)},
        {L"DecimalPlain", decimal(4, DECIMAL_NEG, 0, 123456)}, {L"DecimalWide", decimal(0, 0, 1, 0)}, {L"DecimalZero", decimal(0, DECIMAL_NEG, 0, 0)},
        {L"I1Low", scalar(VT_I1, 0x80)}, {L"I1High", scalar(VT_I1, 0x7F)}, {L"UI1High", scalar(VT_UI1, 0xFF)}, {L"UI2High", scalar(VT_UI2, 0xFFFF)},
        {L"UI4High", scalar(VT_UI4, 0xFFFFFFFF)}, {L"I8Low", scalar(VT_I8, 0x8000000000000000)}, {L"I8High", scalar(VT_I8, 0x7FFFFFFFFFFFFFFF)},
        {L"UI8High", scalar(VT_UI8, 0xFFFFFFFFFFFFFFFF)}, {L"UI8Plain", scalar(VT_UI8, 0x7FFFFFFFFFFFFFFF)},
        {L"IntLow", scalar(VT_INT, 0x80000000)}, {L"UIntHigh", scalar(VT_UINT, 0xFFFFFFFF)},
        {L"I2s", vector<short>(VT_I2, {-32768, 0, 32767})}, {L"I4s", vector<long>(VT_I4, {(long)0x80000000, -1, 0x7FFFFFFF})},
        {L"R4s", vector<float>(VT_R4, {-0.0f, 0.1f, 3.4028234663852886e38f})}, {L"R8s", vector<double>(VT_R8, {-0.0, 0.1, 5e-324})},
        {L"Cys", vector<long long>(VT_CY, {-1, 123456789})}, {L"Dates", vector<double>(VT_DATE, {25569.0, -1.25})},
        {L"Errors", vector<long>(VT_ERROR, {(long)0x80020004, 1})}, {L"Bools", vector<short>(VT_BOOL, {-1, 0, 1})},
        {L"I1s", vector<signed char>(VT_I1, {-128, 127})}, {L"UI1s", vector<BYTE>(VT_UI1, {0, 255})}, {L"UI2s", vector<USHORT>(VT_UI2, {0, 65535})},
        {L"UI4s", vector<ULONG>(VT_UI4, {0, 0xFFFFFFFF})}, {L"I8s", vector<long long>(VT_I8, {-0x7FFFFFFFFFFFFFFF - 1, 0x7FFFFFFFFFFFFFFF})},
        {L"UI8s", vector<ULONGLONG>(VT_UI8, {0, 0x7FFFFFFFFFFFFFFF})}, {L"Ints", vector<int>(VT_INT, {-7, 7})}, {L"UInts", vector<unsigned>(VT_UINT, {7, 0xFFFFFFFF})},
        {L"Decimals", vector<DECIMAL>(VT_DECIMAL, {decimal(1, 0, 0, 15).decVal, decimal(0, DECIMAL_NEG, 0, 2).decVal})},
        {L"Texts", vector<BSTR>(VT_BSTR, {text(L"a\0b", 3).bstrVal, nullptr, text(L"\x4E2D", 1).bstrVal})},
        {L"Variants", vector<VARIANT>(VT_VARIANT, {scalar(VT_I4, 7), scalar(VT_I2, 0xFFFF)})},
        {L"VariantsMixed", vector<VARIANT>(VT_VARIANT, {scalar(VT_I4, 7), text(L"x", 1)})},
        {L"VariantsNull", vector<VARIANT>(VT_VARIANT, {scalar(VT_I4, 7), scalar(VT_NULL, 0)})},
        {L"I4None", vector<long>(VT_I4, {})}, {L"TextsNone", vector<BSTR>(VT_BSTR, {})}, {L"ArrayNull", scalar(VT_ARRAY | VT_R8, 0)},
    };
    long cube[24]; for (long k = 0; k < 24; k++) cube[k] = k;
    all.push_back({L"Cube", array(VT_I4, {{2, 0}, {3, 0}, {4, 0}}, cube, sizeof cube)});
    all.push_back({L"CubeBounds", array(VT_I4, {{2, 1}, {3, -5}, {4, 100}}, cube, sizeof cube)});
    BSTR table[6]; for (int k = 0; k < 6; k++) { wchar_t c = L'a' + k; table[k] = SysAllocStringLen(&c, 1); }
    all.push_back({L"Table", array(VT_BSTR, {{3, 0}, {2, 0}}, table, sizeof table)});
    all.push_back({L"TableNone", array(VT_R8, {{3, 0}, {0, 0}}, nullptr, 0)});
    return all;
}
static void load_kinds()
{
    auto put = [](const String &name, VARIANT v, long type) {
        Tag t = {name, v.vt, type, false, false, 0, 0, v, L"kind", now_date(false), false, 0, 0};
        t.whole = true; t.by_reference = name.compare(0, 9, L"Kind.Ref.") == 0;
        g_tags[lower(name)] = t;
    };
    for (auto &kind : kinds()) {
        put(String(L"Kind.") + kind.first, kind.second, -1);
        VARTYPE vt = kind.second.vt;
        if (vt == VT_EMPTY || vt == VT_NULL) continue;
        VARIANT copy; VariantInit(&copy); VariantCopy(&copy, &kind.second);
        put(String(L"Kind.Ref.") + kind.first, copy, -1);
    }
    put(L"Kind.Echo", scalar(VT_I4, 0), -1);
    put(L"Kind.Image", text(L"", 0), 5);
    g_objects[L"kind"];
}
// What lies in memory, as hexadecimal digits.
static String digits(const void *p, size_t n)
{
    String out; wchar_t two[3];
    for (size_t k = 0; k < n; k++) { swprintf(two, 3, L"%02X", ((const BYTE *)p)[k]); out += two; }
    return out;
}
static String digits(BSTR s) { return s ? digits(s, SysStringByteLen(s)) : L"none"; }
static String image(VARIANT *v)
{
    wchar_t head[16]; swprintf(head, 16, L"vt=%04X", v->vt);
    String out = head;
    if (!(v->vt & VT_ARRAY))
        return out + L" data=" + (v->vt == VT_BSTR ? digits(v->bstrVal) : v->vt == VT_DECIMAL ? digits((BYTE *)v + 2, 14) : digits(&v->llVal, 8));
    SAFEARRAY *a = v->parray; size_t total = 1, size = SafeArrayGetElemsize(a);
    out += L" counts=";
    for (UINT d = 1; d <= SafeArrayGetDim(a); d++) {
        long l, u; SafeArrayGetLBound(a, d, &l); SafeArrayGetUBound(a, d, &u);
        wchar_t count[32]; swprintf(count, 32, d > 1 ? L",%ld" : L"%ld", u - l + 1); out += count; total *= u - l + 1;
        if (l) out += L"!";
    }
    out += L" data=";
    void *data; SafeArrayAccessData(a, &data);
    for (size_t k = 0; k < total; k++) out += (k ? L"|" : L"") + (v->vt == (VT_ARRAY | VT_BSTR) ? digits(((BSTR *)data)[k]) : digits((BYTE *)data + k * size, size));
    SafeArrayUnaccessData(a);
    return out;
}
