// The COM object: LMXProxyServer's methods, one after the other.
#pragma once
#include "model.h"
class Server final : public Model, public ILMXProxyServer5, public IConnectionPointContainer, public IProvideClassInfo2, public ISupportErrorInfo, public ILmxSimControl {
    LONG refs = 1;
    void keep() override { AddRef(); }
    void let_go() override { Release(); }
public:
    Server()
    {
        InterlockedIncrement(&g_alive);
        load_plant();
        p1.owner = p2.owner = this; p1.iid = DIID__ILMXProxyServerEvents; p2.iid = DIID__ILMXProxyServerEvents2;
        InitializeCriticalSection(&cs);
        wake = CreateEventW(nullptr, FALSE, FALSE, nullptr);
        apartment = GetCurrentThreadId();
        time_as = environment(L"LMXSIM_TIME"); buffer_as = environment(L"LMXSIM_BUFFER");
        byref = environment(L"LMXSIM_BYREF") == L"1"; local = environment(L"LMXSIM_LOCAL") == L"1";
        auto whole = [](const wchar_t *n, long d) { String v = environment(n); return v.empty() ? d : wcstol(v.c_str(), nullptr, 10); };
        batch = whole(L"LMXSIM_BATCH", 64); newest = whole(L"LMXSIM_MAX", 5); statuses = whole(L"LMXSIM_STATUSES", 1);
        board.open(environment(L"LMXSIM_BOARD")); take_news();
        for (auto &c : split(environment(L"LMXSIM_CONTROL"), L';')) if (!c.empty()) control(c);
    }
    virtual ~Server()
    {
        stop = true; SetEvent(wake);
        if (thread) { WaitForSingleObject(thread, 5000); CloseHandle(thread); }
        if (window) DestroyWindow(window);
        for (auto &e : queue) VariantClear(&e.value);
        for (auto &e : timed) VariantClear(&e.value);
        for (auto p : {&p1, &p2}) for (auto &s : p->sinks) s.second->Release();
        CloseHandle(wake); DeleteCriticalSection(&cs);
        InterlockedDecrement(&g_alive);
    }
    // IUnknown
    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID r, void **p) override
    {
        const IID *own[] = {&IID_ILMXProxyServer, &IID_ILMXProxyServer2, &IID_ILMXProxyServer3, &IID_ILMXProxyServer4, &IID_ILMXProxyServer5};
        *p = nullptr;
        if (r == IID_IUnknown || r == IID_IDispatch) *p = static_cast<ILMXProxyServer5 *>(this);
        for (long k = 0; k < newest && !*p; k++) if (r == *own[k]) *p = static_cast<ILMXProxyServer5 *>(this);
        if (*p) ;
        else if (r == IID_IConnectionPointContainer) *p = static_cast<IConnectionPointContainer *>(this);
        else if (r == IID_IProvideClassInfo || r == IID_IProvideClassInfo2) *p = static_cast<IProvideClassInfo2 *>(this);
        else if (r == IID_ISupportErrorInfo) *p = static_cast<ISupportErrorInfo *>(this);
        else if (r == IID_ILmxSimControl) *p = static_cast<ILmxSimControl *>(this);
        else return E_NOINTERFACE;
        AddRef(); return S_OK;
    }
    ULONG STDMETHODCALLTYPE AddRef() override { return InterlockedIncrement(&refs); }
    ULONG STDMETHODCALLTYPE Release() override { LONG n = InterlockedDecrement(&refs); if (!n) delete this; return n; }
    HRESULT STDMETHODCALLTYPE InterfaceSupportsErrorInfo(REFIID) override { return S_OK; }
    HRESULT STDMETHODCALLTYPE Control(BSTR command) override { return command && control(command) ? S_OK : E_INVALIDARG; }
    // IDispatch through the type library
    HRESULT STDMETHODCALLTYPE GetTypeInfoCount(UINT *n) override { *n = 1; return S_OK; }
    HRESULT STDMETHODCALLTYPE GetTypeInfo(UINT i, LCID, ITypeInfo **p) override { if (i) return DISP_E_BADINDEX; *p = g_server_info; (*p)->AddRef(); return S_OK; }
    HRESULT STDMETHODCALLTYPE GetIDsOfNames(REFIID, LPOLESTR *n, UINT c, LCID, DISPID *d) override { return g_server_info->GetIDsOfNames(n, c, d); }
    HRESULT STDMETHODCALLTYPE Invoke(DISPID id, REFIID, LCID, WORD f, DISPPARAMS *p, VARIANT *r, EXCEPINFO *e, UINT *a) override
    { return g_server_info->Invoke(static_cast<ILMXProxyServer5 *>(this), id, f, p, r, e, a); }
    // IConnectionPointContainer, IProvideClassInfo2
    HRESULT STDMETHODCALLTYPE EnumConnectionPoints(IEnumConnectionPoints **p) override { *p = new PointEnum({&p1, &p2}); return S_OK; }
    HRESULT STDMETHODCALLTYPE FindConnectionPoint(REFIID r, IConnectionPoint **p) override
    { *p = r == p1.iid ? &p1 : r == p2.iid ? &p2 : nullptr; if (!*p) return CONNECT_E_NOCONNECTION; (*p)->AddRef(); return S_OK; }
    HRESULT STDMETHODCALLTYPE GetClassInfo(ITypeInfo **p) override { *p = g_class_info; (*p)->AddRef(); return S_OK; }
    HRESULT STDMETHODCALLTYPE GetGUID(DWORD k, GUID *g) override { if (k != GUIDKIND_DEFAULT_SOURCE_DISP_IID) return E_INVALIDARG; *g = p1.iid; return S_OK; }
#define ENTER(name) do { HRESULT h_ = enter(name); if (FAILED(h_)) return h_; } while (0)
    // ILMXProxyServer 1
    HRESULT STDMETHODCALLTYPE Register(BSTR name, LONG *out) override
    {
        ENTER(L"register");
        if (!name || !*name) return invalid(L"a client name is needed");
        if (!window) {
            WNDCLASSW c = {}; c.lpfnWndProc = proc; c.hInstance = g_dll; c.lpszClassName = L"LmxSimEvents";
            RegisterClassW(&c);
            window = CreateWindowW(c.lpszClassName, L"", 0, 0, 0, 0, 0, HWND_MESSAGE, nullptr, g_dll, nullptr);
            if (!window) return HRESULT_FROM_WIN32(GetLastError());
            SetWindowLongPtrW(window, GWLP_USERDATA, (LONG_PTR)(Delivery *)this);
            thread = CreateThread(nullptr, 0, run, (Delivery *)this, 0, nullptr);
        }
        clients[next_client].name = name; clients[next_client].interval = whole(L"buffered_default_interval_ms"); *out = next_client++; return S_OK;
    }
    HRESULT STDMETHODCALLTYPE Unregister(LONG s) override
    { ENTER(L"unregister"); if (!clients.count(s)) return invalid(L"no such server handle"); end_streams(s, -1); clients.erase(s); return S_OK; }
    HRESULT STDMETHODCALLTYPE AddItem(LONG s, BSTR def, LONG *out) override { ENTER(L"add_item"); return add(s, def, nullptr, out, false); }
    HRESULT STDMETHODCALLTYPE RemoveItem(LONG s, LONG i) override
    {
        ENTER(L"remove_item");
        Item *it = find(s, i); if (!it) return invalid(L"no such item");
        if (it->mode != None && is(L"remove_advised", L"e_invalidarg")) return invalid(L"the item is advised");
        end_streams(s, i); clients[s].items.erase(i); return S_OK;
    }
    HRESULT STDMETHODCALLTYPE Advise(LONG s, LONG i) override { ENTER(L"advise"); return start(s, i, UserAdvise); }
    HRESULT STDMETHODCALLTYPE UnAdvise(LONG s, LONG i) override
    {
        ENTER(L"un_advise");
        Item *it = find(s, i); if (!it) return invalid(L"no such item");
        if (it->mode == None && is(L"unadvise_unadvised", L"e_invalidarg")) return invalid(L"the item is not advised");
        if (it->mode != None && !it->why && lating) { for (; lating > 0; lating--) { Event e(DataChange, s, i, 192, GOOD); e.late = true; e.time = now_date(local); current(*it, &e.value); push(e); } }
        it->mode = None; it->resolved = it->suspended = false; end_streams(s, i); return S_OK;
    }
    HRESULT STDMETHODCALLTYPE Write(LONG s, LONG i, VARIANT v, LONG u) override { ENTER(L"write"); return write(s, i, &v, false, u, 0, 0); }
    HRESULT STDMETHODCALLTYPE WriteSecured(LONG s, LONG i, LONG u, LONG w, VARIANT v) override { ENTER(L"write_secured"); return write(s, i, &v, true, u, w, 0); }
    HRESULT STDMETHODCALLTYPE AuthenticateUser(LONG s, BSTR u, BSTR p, LONG *id) override
    {
        ENTER(L"authenticate_user");
        auto c = clients.find(s); if (c == clients.end()) return invalid(L"no such server handle");
        if (!g_secure) { *id = 1; c->second.users[1] = {L"", L"operate,verify,tune,configure", L""}; return S_OK; }
        auto f = g_users.find(lower(u ? u : L""));
        if (f == g_users.end() || !p || f->second.password != p) return E_INVALIDARG;
        *id = c->second.next_user++; c->second.users[*id] = f->second;
        return S_OK;
    }
    // 2 to 5
    HRESULT STDMETHODCALLTYPE ArchestrAUserToId(LONG s, BSTR guid, LONG *id) override
    {
        ENTER(L"archestra_user_to_id");
        auto c = clients.find(s); if (c == clients.end()) return invalid(L"no such server handle");
        if (!g_secure) { *id = 1; c->second.users[1] = {L"", L"operate,verify,tune,configure", L""}; return S_OK; }
        String bare;
        for (wchar_t x : lower(guid ? guid : L"")) if (x != L'{' && x != L'}') bare += x;
        for (auto &u : g_users) if (!bare.empty() && u.second.guid == bare) { *id = c->second.next_user++; c->second.users[*id] = u.second; return S_OK; }
        return E_INVALIDARG;
    }
    HRESULT STDMETHODCALLTYPE AddItem2(LONG s, BSTR def, BSTR ctx, LONG *out) override { ENTER(L"add_item2"); return add(s, def, ctx, out, false); }
    HRESULT STDMETHODCALLTYPE Write2(LONG s, LONG i, VARIANT v, VARIANT t, LONG u) override { ENTER(L"write2"); return write(s, i, &v, false, u, 0, t.vt == VT_DATE ? t.date : 0); }
    HRESULT STDMETHODCALLTYPE WriteSecured2(LONG s, LONG i, LONG u, LONG w, VARIANT v, VARIANT t) override
    { ENTER(L"write_secured2"); return write(s, i, &v, true, u, w, t.vt == VT_DATE ? t.date : 0); }
    HRESULT STDMETHODCALLTYPE Suspend(LONG s, LONG i, MxStatus *p) override
    {
        ENTER(L"suspend");
        Item *it = find(s, i); if (!it) return invalid(L"no such item");
        MXSTATUS_PROXY st = it->mode == None && on(L"suspend_unadvised_fails") ? status(MxCategoryConfigurationError, 0, 0)
            : it->suspended && is(L"suspend_again", L"ok") ? GOOD : status(MxCategoryPending, 0, 0);
        memcpy(p, &st, sizeof st);
        if (it->mode == None || it->suspended) return S_OK;
        it->suspended = true;
        DWORD ms = whole(L"operation_latency_ms");
        push(Event(OperationDone, s, i, 0, GOOD), ms);
        if (it->why ? on(L"suspend_failed_callback") : on(L"suspended_callback")) announce(s, i, *it, ms ? ms + 1 : 0);
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE Activate(LONG s, LONG i, MxStatus *p) override
    {
        ENTER(L"activate");
        Item *it = find(s, i); if (!it) return invalid(L"no such item");
        MXSTATUS_PROXY st = it->suspended ? status(MxCategoryPending, 0, 0) : GOOD;
        memcpy(p, &st, sizeof st);
        if (!it->suspended) return S_OK;
        it->suspended = false;
        DWORD ms = whole(L"operation_latency_ms");
        if (on(L"operation_complete_on_activate")) push(Event(OperationDone, s, i, 0, GOOD), ms);
        if (!it->why || on(L"suspend_failed_callback")) announce(s, i, *it, ms ? ms + 1 : 0);
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE AdviseSupervisory(LONG s, LONG i) override { ENTER(L"advise_supervisory"); return start(s, i, Supervisory); }
    HRESULT STDMETHODCALLTYPE AddBufferedItem(LONG s, BSTR def, BSTR ctx, LONG *out) override { ENTER(L"add_buffered_item"); return add(s, def, ctx, out, true); }
    HRESULT STDMETHODCALLTYPE SetBufferedUpdateInterval(LONG s, LONG ms) override
    {
        ENTER(L"set_buffered_update_interval");
        auto c = clients.find(s); if (c == clients.end() || ms <= 0) return invalid(L"no such server handle, or an interval of 0 or less");
        c->second.interval = (ms + 99) / 100 * 100; return S_OK;
    }
};
ULONG STDMETHODCALLTYPE Point::AddRef() { return static_cast<ILMXProxyServer5 *>(owner)->AddRef(); }
ULONG STDMETHODCALLTYPE Point::Release() { return static_cast<ILMXProxyServer5 *>(owner)->Release(); }
HRESULT STDMETHODCALLTYPE Point::GetConnectionPointContainer(IConnectionPointContainer **p) { *p = owner; (*p)->AddRef(); return S_OK; }
