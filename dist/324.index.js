export const id = 324;
export const ids = [324];
export const modules = {

/***/ 7324:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   runCacheOperation: () => (/* binding */ runCacheOperation)
/* harmony export */ });
/* harmony import */ var _actions_cache__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(9312);
/* harmony import */ var _state_directory_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(353);


/**
 * Saves or restores `.upload.meta` with the Actions cache. The client hides most failures: those it prints as warnings,
 * some it throws, and a save that failed gives -1.
 *
 * @throws Error
 */
async function runCacheOperation(task) {
    // The client checks for the address only, and throws later.
    if (!(0,_actions_cache__WEBPACK_IMPORTED_MODULE_0__/* .isFeatureAvailable */ .w3)() || !process.env.ACTIONS_RUNTIME_TOKEN || !isPermitted(task))
        return 'unavailable';
    if (task.operation === 'restore') {
        const matched = await (0,_actions_cache__WEBPACK_IMPORTED_MODULE_0__/* .restoreCache */ .P3)([_state_directory_js__WEBPACK_IMPORTED_MODULE_1__/* .META_NAME */ .Gt], task.key, [...task.prefixes], undefined, true);
        return matched === undefined ? 'nothing' : 'done';
    }
    const id = await (0,_actions_cache__WEBPACK_IMPORTED_MODULE_0__/* .saveCache */ .Io)([_state_directory_js__WEBPACK_IMPORTED_MODULE_1__/* .META_NAME */ .Gt], task.key, undefined, true);
    if (id === -1)
        throw new Error('the entry was not saved');
    return 'done';
}
/** What the runner says of this run's rights; the client then does nothing, with a line for nobody. */
function isPermitted({ operation }) {
    const mode = (process.env.ACTIONS_CACHE_MODE ?? '').trim().toLowerCase();
    return !(operation === 'save' ? ['none', 'read'] : ['none', 'write-only']).includes(mode);
}


/***/ })

};
