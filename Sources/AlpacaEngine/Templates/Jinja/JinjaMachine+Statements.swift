// What a template's blocks do.
extension JinjaMachine {
    enum Flow { case next, breakLoop, continueLoop }

    func execute(_ body: [JinjaNode], _ scope: JinjaScope) throws(AlpacaError) -> Flow {
        try deeper()
        for node in body {
            line = node.line
            try step()
            let flow: Flow
            switch node.statement {
            case .text(let text):
                try append(text, to: &output)
                continue
            case .output(let value):
                try append(try shown(try evaluate(value, scope)), to: &output)
                continue
            case .assign(let target, let value):
                try assign(target, try evaluate(value, scope), scope)
                continue
            case .condition(let branches, let otherwise): flow = try condition(branches, otherwise, scope)
            case .loop(let loop):
                try runLoop(loop, try evaluate(loop.values, scope), level: 0, scope)
                continue
            case .scope(let body): flow = try execute(body, JinjaScope(in: scope))
            case .breakLoop: flow = .breakLoop
            case .continueLoop: flow = .continueLoop
            case .with(let values, let body): flow = try with(values, body, scope)
            default:
                flow = try otherStatement(node.statement, scope)
            }
            if flow != .next {
                higher()
                return flow
            }
        }
        higher()
        return .next
    }

    private func condition(
        _ branches: [(test: JinjaExpression, body: [JinjaNode])], _ otherwise: [JinjaNode], _ scope: JinjaScope
    ) throws(AlpacaError) -> Flow {
        for branch in branches where try evaluate(branch.test, scope).isTrue { return try execute(branch.body, scope) }
        return try execute(otherwise, scope)
    }

    private func with(
        _ values: [(target: JinjaTarget, value: JinjaExpression)], _ body: [JinjaNode], _ scope: JinjaScope
    ) throws(AlpacaError) -> Flow {
        let inner = JinjaScope(in: scope)
        // The values see the names around the block, not each other.
        for (target, value) in values { try assign(target, try evaluate(value, scope), inner) }
        return try execute(body, inner)
    }

    private func otherStatement(_ statement: JinjaStatement, _ scope: JinjaScope) throws(AlpacaError) -> Flow {
        switch statement {
        case .macro(let node): scope.values[node.nameIndex] = .macro(macro(node, scope))
        case .assignBlock(let target, let filters, let body):
            var value = JinjaItem.text(try captured(body, JinjaScope(in: scope)))
            for filter in filters { value = try apply(filter, to: value, scope) }
            try assign(target, value, scope)
        case .filter(let filters, let body):
            var value = JinjaItem.text(try captured(body, JinjaScope(in: scope)))
            for filter in filters { value = try apply(filter, to: value, scope) }
            try append(try shown(value), to: &output)
        case .call(let node, let call):
            guard case .postfix(let base, var steps) = call, let last = steps.popLast(), case .call(let arguments) = last.kind else {
                break
            }
            let callee = try evaluate(.postfix(base, steps), scope)
            var handed = try handed(arguments, scope)
            handed.keywords.append(("caller", .macro(macro(node, scope))))
            try append(try shown(try self.call(callee, handed)), to: &output)
        default: break
        }
        return .next
    }

    private func macro(_ node: JinjaMacroNode, _ scope: JinjaScope) -> JinjaMacro {
        // The macro holds its scope and the scope the macro.
        keep(JinjaMacro(node, scope: keep(scope)))
    }

    /// What `body` prints, as a text.
    func captured(_ body: [JinjaNode], _ scope: JinjaScope) throws(AlpacaError) -> JinjaText {
        var outer = JinjaText()
        swap(&outer, &output)
        _ = try execute(body, scope)
        swap(&outer, &output)
        return outer
    }

    // MARK: Names

    func assign(_ target: JinjaTarget, _ value: JinjaItem, _ scope: JinjaScope) throws(AlpacaError) {
        switch target {
        case .name(let name): scope.values[name] = value
        case .attribute(let object, let name):
            guard case .namespace(let namespace)? = scope.value(object) else {
                throw AlpacaError(
                    .invalidArgument,
                    "\(names[object].quoted(limit: 40)) is no namespace: its attribute \(name.string.quoted(limit: 40)) can't be set")
            }
            try checkCount(namespace.attributes.count + 1)
            try make(32)
            namespace.set(name, value)
        case .tuple(let targets):
            let items = try elements(value)
            guard items.count == targets.count else {
                throw AlpacaError(.invalidArgument, found: "\(items.count) values for \(targets.count) names", expected: "\(targets.count)")
            }
            for index in items.indices { try assign(targets[index], items[index], scope) }
        }
    }

    // MARK: Loops

    func runLoop(_ node: JinjaLoopNode, _ values: JinjaItem, level: Int, _ scope: JinjaScope) throws(AlpacaError) {
        var items = try elements(values)
        if let test = node.test {
            var kept: [JinjaItem] = []
            for item in items {
                try iterate()
                let inner = JinjaScope(in: scope)
                try assign(node.target, item, inner)
                if try evaluate(test, inner).isTrue { kept.append(item) }
            }
            items = kept
        }
        guard !items.isEmpty else {
            _ = try execute(node.otherwise, JinjaScope(in: scope))
            return
        }
        try make(32)
        let loop = keep(JinjaLoop(items, level: level, node: node, scope: scope))
        for index in items.indices {
            try iterate()
            loop.index = index
            // Names that a turn sets are gone in the next one.
            let inner = JinjaScope(in: scope)
            if let loopName { inner.values[loopName] = .loop(loop) }
            try assign(node.target, items[index], inner)
            if try execute(node.body, inner) == .breakLoop { break }
        }
    }
}
