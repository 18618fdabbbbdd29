"""Calls by name inside the Windows Python: the stand-in's object through IDispatch, as the alarm consumer is called."""

from __future__ import annotations

import ctypes
import threading

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_worker.backends.com.identity import CLASS_ID, PROG_ID
from mxgateway_worker.backends.com.server_file import server_file
from mxgateway_worker.backends.com.winapi import memory
from mxgateway_worker.backends.com.windows import WindowsApartment

MANY = 2000


def refused(call: object) -> MxComError:
    try:
        call()  # type: ignore[operator]
    except MxComError as error:
        return error
    raise AssertionError("it was taken")


def main() -> None:
    apartment = WindowsApartment(is_local_time=False)
    apartment.enter()
    try:
        for name in (PROG_ID, CLASS_ID):
            found = apartment.create_late_bound(name)
            cleared = []
            clear = apartment._api.variant_clear
            apartment._api.variant_clear = lambda variant, cleared=cleared, clear=clear: cleared.append(clear(variant))
            try:
                server, text = found.call("Register", "late 𝄞")
            finally:
                apartment._api.variant_clear = clear
            assert cleared == [hresults.S_OK] * 3, "the argument, the result, and where a text would come"
            assert server > 0, server
            assert text is None
            items = {found.call("AddItem", server, f"TestChildObject.TestInt{number}")[0] for number in range(MANY)}
            assert len(items) == MANY
            for item in items:
                assert found.call("RemoveItem", server, item) == (0, None)
            freed = []
            free, apartment._api.free_string = apartment._api.free_string, freed.append
            try:
                wrong = refused(lambda found=found: found.call("RemoveItem", 4711, 1))
            finally:
                apartment._api.free_string = free
            assert wrong.hresult == hresults.E_INVALIDARG, wrong
            # The texts of its EXCEPINFO are the caller's; here only noted, so that they can still be looked at.
            texts = [memory(text, apartment._api.string_bytes(text)).decode("utf-16-le") for text in freed if text]
            assert "no such item" in texts, texts
            for text in freed:
                free(text)
            for _ in range(2):
                unknown = refused(lambda found=found: found.call("NoSuchMethod"))
                assert unknown.hresult == hresults.DISP_E_UNKNOWNNAME, unknown
            short = refused(lambda found=found: found.call("AddItem", 1))
            assert short.hresult in (hresults.DISP_E_BADPARAMCOUNT, -2147352561), hresults.text(short.hresult)
            found.call("Unregister", server)
            found.release()
            found.release()
        library = ctypes.WinDLL(server_file(CLASS_ID).path)  # type: ignore[attr-defined]
        assert library.DllCanUnloadNow() == hresults.S_OK, "an object of the class is still held"
        missing = refused(lambda: apartment.create_late_bound("WNWRAPCONSUMERLib.wwAlarmConsumer"))
        assert missing.hresult < 0, missing
        assert "not registered" in str(missing)
    finally:
        apartment.leave()
    print("late-bound on", threading.current_thread().name)


main()
