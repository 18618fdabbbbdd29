// What all of the stand-in needs: COM, texts, types out of its own type library.
#pragma once
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <ole2.h>
#include <olectl.h>
#include <oleauto.h>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <cwctype>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>
#include "lmxsim.h"
#include "lmxsim_i.c"

using String = std::wstring;
static const GUID GUID_MXSTATUS_PROXY = {0xa162d9e4, 0x9019, 0x42f3, {0xa0, 0x87, 0x79, 0x26, 0x40, 0x07, 0xe5, 0x42}};
static const HRESULT SECURED_WRITE_REFUSED = (HRESULT)0x80004021;
static HINSTANCE g_dll;
static LONG g_alive, g_locks;
static ITypeLib *g_lib;
static ITypeInfo *g_server_info, *g_class_info;
static IRecordInfo *g_record;

static HRESULT load_types()
{
    if (g_record) return S_OK;
    wchar_t path[MAX_PATH];
    GetModuleFileNameW(g_dll, path, MAX_PATH);
    HRESULT hr = LoadTypeLibEx(path, REGKIND_NONE, &g_lib);
    ITypeInfo *ti = nullptr;
    if (SUCCEEDED(hr)) hr = g_lib->GetTypeInfoOfGuid(IID_ILMXProxyServer5, &g_server_info);
    if (SUCCEEDED(hr)) hr = g_lib->GetTypeInfoOfGuid(CLSID_LMXProxyServer, &g_class_info);
    if (SUCCEEDED(hr)) hr = g_lib->GetTypeInfoOfGuid(GUID_MXSTATUS_PROXY, &ti);
    if (SUCCEEDED(hr)) { hr = GetRecordInfoFromTypeInfo(ti, &g_record); ti->Release(); }
    return hr;
}

struct Guard {
    CRITICAL_SECTION &c;
    explicit Guard(CRITICAL_SECTION &cs) : c(cs) { EnterCriticalSection(&c); }
    ~Guard() { LeaveCriticalSection(&c); }
};
static String environment(const wchar_t *name)
{
    wchar_t buf[1024]; DWORD n = GetEnvironmentVariableW(name, buf, 1024);
    return n && n < 1024 ? String(buf, n) : String();
}
static String lower(String s) { for (auto &c : s) c = towlower(c); return s; }
static bool ends(const String &s, const wchar_t *tail)
{ size_t n = wcslen(tail); return s.size() >= n && !s.compare(s.size() - n, n, tail); }
static std::vector<String> split(const String &s, wchar_t at)
{
    std::vector<String> out(1);
    for (wchar_t c : s) if (c == at) out.emplace_back(); else out.back() += c;
    return out;
}
static DATE now_date(bool local)
{ SYSTEMTIME st; DATE d; local ? GetLocalTime(&st) : GetSystemTime(&st); SystemTimeToVariantTime(&st, &d);
  return d + st.wMilliseconds / 86400000.0; }
