// How LMXProxy behaves: items, writes, events in their order, and the faults that a test asks for.
#pragma once
#include "delivery.h"
class Model : public Delivery {
protected:
    HRESULT invalid(const wchar_t *text)
    {
        ICreateErrorInfo *c; IErrorInfo *e;
        if (SUCCEEDED(CreateErrorInfo(&c))) {
            c->SetGUID(IID_ILMXProxyServer); c->SetSource((LPOLESTR)L"LMXProxy.LMXProxyServer.1"); c->SetDescription((LPOLESTR)text);
            if (SUCCEEDED(c->QueryInterface(IID_IErrorInfo, (void **)&e))) { SetErrorInfo(0, e); e->Release(); }
            c->Release();
        }
        return E_INVALIDARG;
    }
    Fault *due(const wchar_t *fault, const wchar_t *method)
    {
        auto f = faults.find(fault);
        if (f == faults.end() || !f->second.times || (!f->second.method.empty() && f->second.method != method)) return nullptr;
        if (f->second.times > 0) f->second.times--;
        return &f->second;
    }
    HRESULT enter(const wchar_t *method)
    {
        if (crash_call) { crash_call = false; *(volatile int *)0 = 1; }
        if (Fault *f = due(L"hang_call", method)) Sleep((DWORD)(f->seconds * 1000));
        if (Fault *f = due(L"slow_call", method)) Sleep((DWORD)(f->seconds * 1000));
        if (Fault *f = due(L"pump_call", method)) {
            DWORD end = GetTickCount() + (DWORD)(f->seconds * 1000); MSG m;
            while ((LONG)(end - GetTickCount()) > 0) { while (PeekMessageW(&m, nullptr, 0, 0, PM_REMOVE)) { TranslateMessage(&m); DispatchMessageW(&m); } Sleep(1); }
        }
        if (Fault *f = due(L"fail_call", method)) return f->hr;
        // What a call answers when the service behind it is gone.
        return rpc_down ? HRESULT_FROM_WIN32(RPC_S_SERVER_UNAVAILABLE) : S_OK;
    }
    void resolve(Item &it)
    {
        String full = it.context.empty() ? it.name : it.context + L"." + it.name, n = lower(full);
        it.tag = nullptr; it.element.clear(); it.why = whole(L"bad_reference_detail");
        auto f = g_tags.find(n);
        if (f != g_tags.end()) { it.tag = &f->second; it.why = 0; return; }
        size_t open = n.rfind(L'[');
        if (open == String::npos || n.back() != L']') { if (g_tags.count(n + L"[]")) it.why = 1003; return; }
        f = g_tags.find(n.substr(0, open) + L"[]");
        if (f == g_tags.end()) return;
        it.why = 1003;
        std::vector<long> at;
        for (auto &part : split(n.substr(open + 1, n.size() - open - 2), L',')) at.push_back(wcstol(part.c_str(), nullptr, 10) - 1);
        if (at.size() != SafeArrayGetDim(f->second.value.parray)) return;
        for (size_t d = 0; d < at.size(); d++) { long u = -1; SafeArrayGetUBound(f->second.value.parray, d + 1, &u); if (at[d] < 0 || at[d] > u) return; }
        it.tag = &f->second; it.element = at; it.why = 0;
    }
    void current(Item &it, VARIANT *v)
    {
        VariantInit(v);
        if (!it.tag) return;
        if (it.element.empty()) { VariantCopy(v, &it.tag->value); return; }
        v->vt = it.tag->vt; void *p = v->vt == VT_BSTR ? (void *)&v->bstrVal : (void *)&v->llVal;
        SafeArrayGetElement(it.tag->value.parray, it.element.data(), p);
    }
    // What an item sees: its status and quality, and whether there is a value with them.
    struct Sight { MXSTATUS_PROXY status; long quality; bool value; };
    Sight see(Item &it)
    {
        if (it.why) {
            bool bare = it.why == 1003 && is(L"bare_array_category", L"communication");
            return {status(bare ? MxCategoryCommunicationError : MxCategoryConfigurationError, MxSourceRespondingLmx, it.why), 4, false};
        }
        if (it.buffered && !it.tag->buffer && on(L"buffered_needs_buffer")) return {status(MxCategoryConfigurationError, MxSourceRespondingLmx, 1002), 4, false};
        State &object = g_objects[it.tag->object];
        if (!object.deployed) return {status(MxCategoryConfigurationError, MxSourceRespondingLmx, whole(L"undeployed_detail")), 4, false};
        if (!g_running) {
            long source = is(L"stopped_engine_source", L"responding_nmx") ? (long)MxSourceRespondingNmx : (long)MxSourceRequestingNmx;
            return {status(MxCategoryCommunicationError, source, 5), 24, on(L"stopped_engine_keeps_value")};
        }
        if (!object.scan) return {GOOD, 0, true};
        return {GOOD, it.suspended || (LONG)(object.initializing_until - GetTickCount()) > 0 ? 32 : 192, true};
    }
    void announce(long s, long i, Item &it, DWORD delay = 0)
    {
        Sight sight = see(it);
        tell(s, i, it, sight.status, sight.quality, sight.value, delay);
    }
    void tell(long s, long i, Item &it, MXSTATUS_PROXY st, long quality, bool value, DWORD delay)
    {
        Event e(it.buffered && st.success && value ? Buffered : DataChange, s, i, quality, st);
        e.time = it.tag && value ? it.tag->time : now_date(local); e.type = it.tag ? it.tag->type : -1;
        if (value) current(it, &e.value);
        push(e, delay);
    }
    // To all who are advised to what a test, or a write, has changed.
    template <class Which> void announce_all(Which which, long quality = -1, DWORD delay = 0)
    {
        for (auto &c : clients) for (auto &o : c.second.items) {
            Item &it = o.second;
            if (it.mode == None || !it.tag || it.suspended || !which(it)) continue;
            if (quality >= 0) tell(c.first, o.first, it, GOOD, quality, true, delay); else announce(c.first, o.first, it, delay);
        }
    }
    DWORD first_delay(const String &name)
    {
        if (!is_cold) return whole(L"first_callback_warm_ms");
        is_cold = false;
        long low = whole(L"first_callback_cold_min_ms"), high = whole(L"first_callback_cold_max_ms"), sum = 0;
        for (wchar_t c : name) sum = (sum * 31 + c) & 0xFFFF;
        return low + (high > low ? sum % (high - low) : 0);
    }
    HRESULT start(long s, long i, Mode mode)
    {
        Item *it = find(s, i); if (!it) return invalid(L"no such item");
        if (it->mode != None) {
            if (is(L"double_advise", L"e_invalidarg")) return invalid(L"the item is advised already");
            if (mode == Supervisory && on(L"double_advise_upgrades")) it->mode = mode;
            return S_OK;
        }
        it->mode = mode; long a, b; const wchar_t *n = it->name.c_str();
        Stream st = {s, i, 0, GetTickCount(), -1, 0, 0, nullptr};
        if (it->name.compare(0, 4, L"Sim.") == 0) {
            it->resolved = true;
            if (!wcscmp(n, L"Sim.Silent")) { it->resolved = false; return S_OK; }
            if (swscanf(n, L"Sim.Ramp.%ld", &a) == 1) st.period = a;
            else if (swscanf(n, L"Sim.Burst.%ld", &a) == 1) st.left = a;
            else if (swscanf(n, L"Sim.Text.%ld.%ld", &a, &b) == 2) { st.text = a; st.left = b; }
            else { it->why = whole(L"bad_reference_detail"); announce(s, i, *it); return S_OK; }
            { Guard g(cs); streams.push_back(st); }
            SetEvent(wake); return S_OK;
        }
        DWORD delay = first_delay(it->name);
        if (on(L"waiting_callback_first")) tell(s, i, *it, status(MxCategoryPending, MxSourceRequestingLmx, 11), 32, false, 0);
        announce(s, i, *it, delay);
        if (!it->why && it->tag->period) { st.period = it->tag->period; st.due += delay + st.period; st.tag = it->tag; { Guard g(cs); streams.push_back(st); } SetEvent(wake); }
        return S_OK;
    }
    void end_streams(long s, long i) { Guard g(cs); for (auto &x : streams) if (x.server == s && (i < 0 || x.item == i)) x.left = 0; }
    HRESULT add(long s, BSTR def, BSTR ctx, LONG *out, bool buffered)
    {
        auto c = clients.find(s); if (c == clients.end()) return invalid(L"no such server handle");
        if (!out) return E_POINTER;
        if (!def || !g_licensed) return E_ACCESSDENIED;
        Item it = {def, ctx ? ctx : L"", buffered, None, false, false, nullptr, {}, 0, {}, 0};
        if (on(L"equal_references_share_handle") && !buffered)
            for (auto &o : c->second.items) if (!o.second.buffered && lower(o.second.name) == lower(it.name) && o.second.context == it.context) { *out = o.first; return S_OK; }
        resolve(it);
        long h = *out = c->second.next_item++;
        c->second.items[h] = it;
        if (buffered) return start(s, h, UserAdvise);
        return S_OK;
    }
    // A value as the attribute's type, by VariantChangeType; what it failed of as the status says it.
    MXSTATUS_PROXY convert(Item &it, VARIANT *v, VARIANT *x)
    {
        bool entire = it.element.empty() && (it.tag->value.vt & VT_ARRAY);
        VARTYPE base = v->vt & VT_TYPEMASK;
        bool wide = (base == VT_I8 || base == VT_UI8) && is(L"wide_integers", L"refused");
        HRESULT hr = E_FAIL;
        VariantInit(x);
        if (it.tag->whole) { VariantCopy(x, v); note_image(x); return GOOD; }
        if (wide || !entire != !(v->vt & VT_ARRAY)) ;
        else if (!entire) hr = VariantChangeTypeEx(x, v, LOCALE_INVARIANT, 0, it.tag->vt);
        else if (SafeArrayGetDim(v->vt & VT_BYREF ? *v->pparray : v->parray) > SafeArrayGetDim(it.tag->value.parray)) ;
        else if (base == it.tag->vt) hr = VariantCopyInd(x, v);
        else if (is(L"array_elements", L"family") && family(base) && family(base) == family(it.tag->vt)) hr = convert_array(v, it.tag->vt, x);
        if (SUCCEEDED(hr)) return GOOD;
        VariantClear(x);
        short detail = 1005;
        if (is(L"not_coercible_detail", L"specific")) detail = hr == DISP_E_OVERFLOW ? 20 : base == VT_BSTR ? 19 : 1005;
        return status(is(L"not_coercible_category", L"operational") ? MxCategoryOperationalError : MxCategorySoftwareError, MxSourceRespondingAutomationObject, detail);
    }
    void note_image(VARIANT *v)
    {
        Tag &tag = g_tags.find(L"kind.image")->second;
        VariantClear(&tag.value); tag.value = ::text(image(v).c_str(), image(v).size()); tag.time = now_date(local);
        announce_all([&](Item &it) { return it.tag == &tag; });
    }
    static int family(VARTYPE vt)
    {
        switch (vt) { case VT_I1: case VT_I2: case VT_I4: case VT_UI1: case VT_UI2: case VT_UI4: return 1; case VT_R4: case VT_R8: case VT_CY: return 2; default: return 0; }
    }
    static HRESULT convert_array(VARIANT *v, VARTYPE to, VARIANT *x)
    {
        SAFEARRAY *from = v->vt & VT_BYREF ? *v->pparray : v->parray;
        long u = -1; SafeArrayGetUBound(from, 1, &u);
        if (SafeArrayGetDim(from) != 1) return E_FAIL;
        x->vt = VT_ARRAY | to; x->parray = SafeArrayCreateVector(to, 0, u + 1);
        for (long k = 0; k <= u; k++) {
            VARIANT e, made; VariantInit(&e); VariantInit(&made); e.vt = v->vt & VT_TYPEMASK;
            SafeArrayGetElement(from, &k, &e.llVal);
            HRESULT hr = VariantChangeTypeEx(&made, &e, LOCALE_INVARIANT, 0, to);
            if (FAILED(hr)) return hr;
            SafeArrayPutElement(x->parray, &k, payload(&made));
        }
        return S_OK;
    }
    static bool beyond(Tag *tag, VARIANT *x)
    {
        VARIANT number; VariantInit(&number);
        if (!tag->limited || FAILED(VariantChangeTypeEx(&number, x, LOCALE_INVARIANT, 0, VT_R8))) return false;
        return number.dblVal < tag->low || number.dblVal > tag->high;
    }
    // Texts by their characters: VarCmp compares them as a dictionary does, which takes its time.
    static bool same(VARIANT *a, VARIANT *b)
    {
        if (a->vt != VT_BSTR || b->vt != VT_BSTR) return VarCmp(a, b, LOCALE_INVARIANT, 0) == VARCMP_EQ;
        return SysStringByteLen(a->bstrVal) == SysStringByteLen(b->bstrVal) && !memcmp(a->bstrVal, b->bstrVal, SysStringByteLen(a->bstrVal));
    }
    // Whether the attribute takes a write of this kind from this user; success when it does.
    MXSTATUS_PROXY permission(Client &c, Item &it, bool secured, long user, long verifier)
    {
        const long own = MxSourceRespondingAutomationObject;
        static const wchar_t *ROLES[] = {L"", L"operate", L"operate", L"operate", L"tune", L"configure", L""};
        int cls = it.tag->cls;
        if (it.tag->readonly || cls == 6) return status(MxCategoryOperationalError, own, 1007);
        auto u = c.users.find(user);
        bool may = !g_secure || cls == 0 || (u != c.users.end() && u->second.may(ROLES[cls]));
        if (secured) {
            if (u == c.users.end() || !may) return status(MxCategorySecurityError, own, 1016);
            auto w = c.users.find(verifier);
            if (cls == 3 && (w == c.users.end() || verifier == user || (g_secure && !w->second.may(L"verify")))) return status(MxCategorySecurityError, own, 1017);
            return GOOD;
        }
        if (it.mode == Supervisory && on(L"supervisory_skips_security")) return GOOD;
        if (cls == 2 || cls == 3) return status(MxCategorySecurityError, own, cls == 2 ? 1012 : 1013);
        return may ? GOOD : status(MxCategorySecurityError, own, whole(L"denied_detail"));
    }
    // The outcome of a write whose call succeeded; what it changes is changed.
    MXSTATUS_PROXY perform(Client &c, Item &it, VARIANT *v, bool secured, long user, long verifier, DATE when, bool *equal)
    {
        const long own = MxSourceRespondingAutomationObject;
        if (it.name.compare(0, 4, L"Sim.") == 0) return status(MxCategoryOperationalError, own, 1007);
        Sight sight = see(it);
        if (!sight.status.success) return sight.status;
        MXSTATUS_PROXY st = permission(c, it, secured, user, verifier);
        if (!st.success) return st;
        VARIANT x;
        st = convert(it, v, &x);
        if (!st.success) return st;
        if (beyond(it.tag, &x)) { VariantClear(&x); return status(MxCategoryOperationalError, own, 1004); }
        if (ends(lower(it.tag->name), L".ackmsg") && !acknowledge(it.tag->name)) { VariantClear(&x); return status(MxCategoryOperationalError, own, 1015); }
        if (!it.element.empty()) { SafeArrayPutElement(it.tag->value.parray, it.element.data(), payload(&x)); VariantClear(&x); }
        else {
            *equal = !(x.vt & VT_ARRAY) && same(&x, &it.tag->value);
            VariantClear(&it.tag->value); it.tag->value = x;
        }
        it.tag->time = when ? when : now_date(local);
        board.say(*it.tag);
        return status(MxCategoryOk, is(L"write_ok_source", L"requesting_lmx") ? (long)MxSourceRequestingLmx : own, 0);
    }
    // Writing the message of an alarm acknowledges it; false when it is acknowledged and that counts as a failure.
    bool acknowledge(const String &message)
    {
        String alarm = lower(message.substr(0, message.size() - 7));
        auto acked = g_tags.find(alarm + L".acked"), when = g_tags.find(alarm + L".timealarmacked");
        if (acked == g_tags.end()) return true;
        auto active = g_tags.find(alarm + L".inalarm");
        if (active != g_tags.end() && !active->second.value.boolVal) return is(L"ack_inactive", L"success");
        if (acked->second.value.boolVal) return is(L"ack_again", L"success");
        acked->second.value.boolVal = VARIANT_TRUE;
        acked->second.time = now_date(local);
        if (when != g_tags.end()) { when->second.value.date = now_date(local); when->second.time = now_date(local); }
        board.say(acked->second); if (when != g_tags.end()) board.say(when->second);
        announce_all([&](Item &it) { return it.tag == &acked->second || (when != g_tags.end() && it.tag == &when->second); });
        return true;
    }
    HRESULT write(long s, long i, VARIANT *v, bool secured, long user, long verifier, DATE when)
    {
        Item *it = find(s, i); if (!it) return invalid(L"no such item");
        VARTYPE vt = v->vt & ~VT_BYREF;
        if (it->mode == None || !it->resolved || vt == VT_EMPTY || vt == VT_NULL) return invalid(L"the item is not advised, or its type is not known yet");
        Client &c = clients[s];
        if (secured && c.users.empty() && on(L"secured_needs_authenticated_user")) return SECURED_WRITE_REFUSED;
        if (on(L"write_pending_completion_first")) push(Event(WriteComplete, s, i, 0, status(MxCategoryPending, MxSourceRequestingLmx, 0)));
        DWORD delay = whole(L"write_latency_ms");
        bool equal = false, first = on(L"write_completion_first");
        MXSTATUS_PROXY st = perform(c, *it, v, secured, user, verifier, when, &equal);
        if (first) push(Event(WriteComplete, s, i, 0, st), delay);
        Tag *changed = it->tag;
        if (st.success && (!equal || on(L"write_equal_value_echoes")))
            announce_all([&](Item &other) { return other.tag == changed; }, -1, delay + whole(L"change_latency_ms"));
        if (!first) push(Event(WriteComplete, s, i, 0, st), delay);
        return S_OK;
    }
    void take_news() override
    {
        for (auto &line : board.news()) {
            if (line[1] == L"control") { control(line[2], false); continue; }
            auto f = g_tags.find(lower(line[2]));
            if (f == g_tags.end() || line.size() < 5) continue;
            Tag &tag = f->second;
            VariantClear(&tag.value); read_image(line[4], &tag.value); tag.time = wcstod(line[3].c_str(), nullptr);
            announce_all([&](Item &it) { return it.tag == &tag; });
        }
    }
    // An object, or the engine, comes back: initializing first, then what there is.
    template <class Which> void come_back(Which which)
    {
        DWORD ms = whole(L"initializing_ms");
        if (on(L"initializing_callback") || ms) announce_all(which, 32);
        announce_all(which, 192, ms);
    }
    bool operate(const String &name, std::map<String, String> &p)
    {
        String object = lower(p[L"object"]), state = p[L"state"];
        auto of_object = [&](Item &it) { return object.empty() || it.tag->object == object; };
        if (name == L"engine") {
            g_running = state == L"running";
            g_running ? come_back([](Item &) { return true; }) : announce_all([](Item &) { return true; });
            return true;
        }
        if (!g_objects.count(object)) return false;
        if (name == L"scan") g_objects[object].scan = state == L"on"; else g_objects[object].deployed = state == L"deployed";
        bool back = state == L"on" || (state == L"deployed" && on(L"rebind_after_deploy"));
        back ? come_back(of_object) : announce_all(of_object);
        return true;
    }
    bool control(const String &command, bool own = true)
    {
        auto at = command.find(L':'); String name = command.substr(0, at);
        std::map<String, String> p;
        if (at != String::npos) for (auto &pair : split(command.substr(at + 1), L',')) { auto eq = pair.find(L'='); if (eq == String::npos) return false; p[pair.substr(0, eq)] = pair.substr(eq + 1); }
        auto number = [&](const wchar_t *k, double d) { return p.count(k) ? wcstod(p[k].c_str(), nullptr) : d; };
        if (name == L"hang_call" || name == L"slow_call" || name == L"pump_call" || name == L"fail_call")
            faults[name] = {p[L"method"], number(L"seconds", name == L"hang_call" ? 3600 : 1), (long)number(L"times", name == L"slow_call" ? -1 : 1),
                            p.count(L"hresult") ? (HRESULT)wcstoll(p[L"hresult"].c_str(), nullptr, 0) : E_FAIL};
        else if (name == L"drop_completions") { dropping = (long)number(L"count", 0); if (!dropping) dropping = -1; }
        else if (name == L"flood_events") flooding = (long)number(L"count", 10000);
        else if (name == L"late_events") lating = (long)number(L"count", 1);
        else if (name == L"inside") inside = number(L"on", 1) != 0;
        else if (name == L"rpc_down") rpc_down = number(L"on", 1) != 0;
        else if (name == L"engine" || name == L"scan" || name == L"deploy") { bool good = operate(name, p); if (good && own) board.say(L"control\t" + command); return good; }
        else if (name == L"switch") { bool good = set_switch(p[L"name"], p[L"value"]); g_problem.clear(); return good; }
        else if (name == L"access_violation") { String w = p[L"where"]; if (w == L"thread") { crash_thread = true; SetEvent(wake); } else if (w == L"event") crash_event = true; else crash_call = true; }
        else if (name == L"reset_plant") { if (!clients.empty()) return false; reset_plant(); }
        else if (name == L"clear") { faults.clear(); dropping = flooding = lating = 0; inside = rpc_down = false; }
        else return false;
        return true;
    }
};
